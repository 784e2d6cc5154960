"""Redis clients that are created here or borrowed."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry

from .._internal.closing import drop_connections
from ..errors import InvalidArgumentError

MAX_CONNECTIONS = 50


class Pool(BlockingConnectionPool):
    """A pool that records the event loop in which it was used last."""

    loop: asyncio.AbstractEventLoop | None = None
    """The event loop of the last use."""

    async def get_connection(self, *arguments: Any, **options: Any) -> Any:
        """Return a connection."""
        self.loop = asyncio.get_running_loop()
        parent: Any = super()  # without types in some releases of redis-py
        return await parent.get_connection(*arguments, **options)


def new_client(url: str, *, timeout: float, retry: Retry) -> Redis:
    """Return a new client; ``timeout`` is the time that the server has for each response."""
    try:
        # This pool waits if all connections are in use; the default one fails.
        pool = Pool.from_url(
            url,
            max_connections=MAX_CONNECTIONS,
            timeout=timeout,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=retry,
        )
        return Redis.from_pool(pool)
    except ValueError:
        pass
    # Outside the block: the exception there may quote the password.
    raise InvalidArgumentError(
        "server must be a URL that redis-py can read.",
        argument="server",
        hint="Write it as redis://user:password@host:6379/0.",
    )


def binary_client(server: str | Redis, *, timeout: float, retry: Retry) -> Any:
    """Return a new client for a URL, or the given client, which must not decode responses."""
    if isinstance(server, str):
        return new_client(server, timeout=timeout, retry=retry)
    if server.connection_pool.connection_kwargs.get("decode_responses"):
        raise InvalidArgumentError(
            "server must be a URL or a client without decode_responses: values are bytes.",
            argument="server",
            hint="Pass the URL, or another client.",
        )
    return server


async def close_client(client: Any) -> None:
    """Close a client that `new_client` returned, or drop connections of an ended event loop."""
    pool = client.connection_pool
    if pool.loop is not None and pool.loop.is_closed():
        drop_connections(pool.reset)
    else:
        await client.aclose()


def server_address(client: Redis) -> str:
    """Return the address of a client's server, without user and password."""
    settings: dict[str, Any] = client.connection_pool.connection_kwargs
    return settings.get("path") or f"{settings.get('host')}:{settings.get('port')}"
