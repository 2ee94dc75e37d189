"""The request path between the edge and the engine."""
