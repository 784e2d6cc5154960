"""A token store in Redis."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

try:
    from redis.asyncio import Redis
    from redis.asyncio.lock import Lock
    from redis.asyncio.retry import Retry
    from redis.backoff import ExponentialBackoff
    from redis.exceptions import LockError, RedisError
except ImportError as error:
    raise ImportError(
        "RedisTokenStore needs a further package: pip install 'tiktok-shop-async[redis]'",
        name=error.name,
    ) from error

from ..._internal.closing import ClosedOnExit
from ..._internal.waiting import finish_shielded, poll_until
from ..._storage.redis import binary_client, close_client, place_of
from ...errors import StaleVersionError
from ..events import logger
from .base import StoredValue
from .failures import reported
from .locking import KeyedLocks, hold

# A driver may send it twice, when a connection broke: the writer then finds what it wrote.
WRITE = """
local there = redis.call('HMGET', KEYS[1], 'version', 'writer')
local version = tonumber(there[1] or '0')
if version == tonumber(ARGV[1]) then
    redis.call('HSET', KEYS[1], 'version', version + 1, 'value', ARGV[2], 'writer', ARGV[3])
    return 1
end
return (version == ARGV[1] + 1 and there[2] == ARGV[3]) and 1 or 0
"""
SOCKET_TIMEOUT = 10.0
RETRIES = 3
"""On a new connection, where one broke."""


class RedisTokenStore(ClosedOnExit):
    """Keeps tokens in Redis, through redis-py.

    What it keeps never expires. Have Redis write to disk, and let it evict no such keys.
    Use it as an async context manager, or call `aclose` when done.
    """

    def __init__(
        self,
        server: str | Redis,
        *,
        prefix: str = "tiktok-shop:",
        lock_timeout: float = 30.0,
        lock_ttl: float = 20.0,
    ) -> None:
        """Make the store; nothing is connected before it is used.

        Args:
            server: A URL such as ``redis://localhost:6379/0``, or a client, which is borrowed and
                never closed; it must not decode responses.
            prefix: Begins the names of all its keys.
            lock_timeout: Seconds to wait for a lock that somebody else has.
            lock_ttl: Seconds after which the lock of a process that died is free. One that lives
                keeps it as long as it needs.
        """
        self._owns_client = isinstance(server, str)
        self._client = binary_client(
            server, timeout=SOCKET_TIMEOUT, retry=Retry(ExponentialBackoff(), RETRIES)
        )
        self._place = place_of(self._client)
        self._prefix = prefix
        self._lock_timeout = lock_timeout
        self._lock_ttl = lock_ttl
        self._local_locks = KeyedLocks()
        self._write = self._client.register_script(WRITE)

    def __repr__(self) -> str:
        return f"<RedisTokenStore {self._place} {self._prefix}>"

    async def keys(self) -> list[str]:
        """Return all keys that something was written to."""
        start = self._token("")
        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", start) + "*"
        with reported(self, "reading the keys"):
            found = {name.decode() async for name in self._client.scan_iter(match=pattern)}
        return [name.removeprefix(start) for name in found]

    async def get(self, key: str) -> StoredValue | None:
        """Return what was written last, or None."""
        with reported(self, f"reading {key}"):
            value, version = await self._client.hmget(self._token(key), "value", "version")
            return None if version is None else StoredValue(value, int(version))

    async def put(self, key: str, value: bytes, *, version: int) -> int:
        """Write in place of ``version``, and return the new one."""
        arguments: list[Any] = [version, value, uuid.uuid4().bytes]
        with reported(self, f"writing {key}"):
            written = await self._write(keys=[self._token(key)], args=arguments)
        if not written:
            raise StaleVersionError(key)
        return version + 1

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncIterator[None]:
        """Keep all others out, on all machines.

        Who loses it all the same, because Redis was away, is kept from overwriting by the version.
        """
        locks = (self._local_locks[key], self._shared_lock(key))
        async with hold(self, key, *locks, patience=self._lock_timeout):
            yield

    async def aclose(self) -> None:
        """Close the connections, unless the client is borrowed."""
        if self._owns_client:
            await close_client(self._client)

    def _token(self, key: str) -> str:
        return f"{self._prefix}token:{key}"

    @asynccontextmanager
    async def _shared_lock(self, key: str) -> AsyncIterator[None]:
        name = f"{self._prefix}lock:{key}"
        lock = Lock(self._client, name, timeout=self._lock_ttl, thread_local=False)
        # Known before it is sent, so that no lock stays whose answer was lost.
        lock.local.token = token = uuid.uuid4().hex.encode()

        async def attempt() -> bool:
            return await lock.acquire(blocking=False, token=token) or await lock.owned()

        keeper: asyncio.Task[None] | None = None
        try:
            await poll_until(lambda: finish_shielded(attempt()))
            keeper = asyncio.create_task(self._keep(lock, key))
            yield
        finally:
            if keeper is not None:
                keeper.cancel()
            await finish_shielded(self._release(lock, key))

    async def _keep(self, lock: Lock, key: str) -> None:
        """Begin the lock's life anew, again and again, as long as its holder lives."""
        while True:
            await asyncio.sleep(self._lock_ttl / 3)
            try:
                await lock.reacquire()
            except LockError:
                logger.warning("%s: the lock of %s was lost", self, key)
                return
            except (RedisError, OSError) as error:
                logger.warning("%s: cannot keep the lock of %s: %s", self, key, error)

    async def _release(self, lock: Lock, key: str) -> None:
        try:
            await lock.release()
        except LockError:
            pass  # it is not ours, or not any more
        except (RedisError, OSError) as error:
            logger.warning("%s: the lock of %s is left to expire: %s", self, key, error)
