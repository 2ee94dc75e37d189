"""Loans: the one domain that Dubito ships; nothing generic imports it."""
