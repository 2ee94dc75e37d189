"""The page a person looks at: it asks the service's own addresses, and no other host."""
