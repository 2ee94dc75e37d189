"""The HTTP/1.1 server: one event loop, its connections and their limits."""
