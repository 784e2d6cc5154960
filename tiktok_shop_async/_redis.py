"""From a Redis server's URL to a client."""

from __future__ import annotations

from redis.asyncio import Redis
from redis.asyncio.retry import Retry

from .errors import InvalidArgumentError


def new_client(url: str, *, timeout: float, retry: Retry) -> Redis:
    """Return a client of our own, which gives the server so many seconds for each answer."""
    try:
        return Redis.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=retry
        )
    except ValueError:
        pass
    # Outside of the block: the exception there may quote the password.
    raise InvalidArgumentError(
        "the server is given by no URL that redis-py can read.",
        argument="server",
        hint="Write it as redis://user:password@host:6379/0.",
    )
