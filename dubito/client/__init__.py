"""Clients of a service: typed answers, retries, deadlines and data frames."""
