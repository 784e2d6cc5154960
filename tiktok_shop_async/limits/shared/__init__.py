"""A limiter that processes share through Redis, and its fallback while Redis is unreachable."""
