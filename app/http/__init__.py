"""HTTP: routes, schemas and problems; it calls the use cases and knows no database."""
