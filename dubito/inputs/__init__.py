"""What callers give as text: rows in JSON and options; every fault names its field."""
