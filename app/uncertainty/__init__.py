"""What draws say about doubt. Pure NumPy."""
