"""The processes of a service (engine, recorder, workers, supervisor) and their messages."""
