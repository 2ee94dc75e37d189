"""The report of an evaluation: one page with pictures, that needs nothing beside itself."""
