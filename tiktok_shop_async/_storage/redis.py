"""From a Redis server's URL to a client."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry

from .._internal.closing import drop_connections
from ..errors import InvalidArgumentError

MOST_CONNECTIONS = 50


class Pool(BlockingConnectionPool):
    """A pool that keeps the event loop in which it was used last."""

    loop: asyncio.AbstractEventLoop | None = None

    async def get_connection(self, *arguments: Any, **options: Any) -> Any:
        """Return a connection."""
        self.loop = asyncio.get_running_loop()
        parent: Any = super()  # without types in some releases of redis-py
        return await parent.get_connection(*arguments, **options)


def new_client(url: str, *, timeout: float, retry: Retry) -> Redis:
    """Return a client of our own, which gives the server so many seconds for each answer."""
    try:
        # Who finds all connections in use waits for one, and does not fail.
        pool = Pool.from_url(
            url,
            max_connections=MOST_CONNECTIONS,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=retry,
        )
        return Redis.from_pool(pool)
    except ValueError:
        pass
    # Outside of the block: the exception there may quote the password.
    raise InvalidArgumentError(
        "the server is given by no URL that redis-py can read.",
        argument="server",
        hint="Write it as redis://user:password@host:6379/0.",
    )


def binary_client(server: str | Redis, *, timeout: float, retry: Retry) -> Any:
    """Return a client of our own for a URL, or the given one, which must not decode responses."""
    if isinstance(server, str):
        return new_client(server, timeout=timeout, retry=retry)
    if server.connection_pool.connection_kwargs.get("decode_responses"):
        raise InvalidArgumentError(
            "the client decodes responses, and what is stored here is no text.",
            argument="server",
            hint="Give the URL, or a client of its own without decode_responses.",
        )
    return server


async def close_client(client: Any) -> None:
    """Close a client of our own, or drop its connections if their event loop has ended."""
    pool = client.connection_pool
    if pool.loop is not None and pool.loop.is_closed():
        drop_connections(pool.reset)
    else:
        await client.aclose()


def place_of(client: Redis) -> str:
    """Return where a client's server is, without user and password."""
    settings: dict[str, Any] = client.connection_pool.connection_kwargs
    return settings.get("path") or f"{settings.get('host')}:{settings.get('port')}"
