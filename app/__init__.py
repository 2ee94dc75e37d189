"""The service: HTTP, batching, processes, records, monitoring and the page around `dubito`."""
