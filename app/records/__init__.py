"""The record store: a tamper-evident event log in SQL, its queries, export and verification."""
