"""The transport of bytes: connections, proxies, and whether a request was sent."""
