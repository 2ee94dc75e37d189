"""The HTTP edge: routes, schemas and problems; calls the use cases and knows no database."""
