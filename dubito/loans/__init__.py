"""Lending, the domain that Dubito ships: layers, columns, recipes; no generic code imports it."""
