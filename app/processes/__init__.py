"""The processes of a service: its engine, its recorder, its workers, and how they talk."""
