"""The request path between HTTP and the engine: queue, batches, deadlines, adaptive passes."""
