"""Transport: connections, proxies, and whether a request was sent."""
