"""Monitoring of a service: statistics over time, drift, alarms and Prometheus metrics."""
