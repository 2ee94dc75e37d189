"""All knowledge about loans: the signature and the layers of loan networks."""
