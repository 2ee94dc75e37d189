"""The child processes of a service, engine and recorder: their messages, clients and logs."""
