"""What an operator sees of a service: figures over time, drift, alarms and metrics."""
