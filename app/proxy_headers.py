"""Headers that proxies add, by which a caller behind one is told from a direct one."""

BY_PROXIES = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Names of the headers, and of the same metadata of gRPC; who is behind a proxy may be anywhere."""
