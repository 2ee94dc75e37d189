"""The dashboard: a page that calls only the service's own API and no other host."""
