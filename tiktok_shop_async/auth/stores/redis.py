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
from ..._storage.redis import binary_client, close_client, server_address
from ...errors import StaleVersionError
from ..events import logger
from .base import StoredValue
from .errors import wrap_store_errors
from .locking import KeyedLocks, hold

# The driver may send it twice when a connection breaks: the writer then finds its own value.
WRITE = """
local stored = redis.call('HMGET', KEYS[1], 'version', 'writer')
local version = tonumber(stored[1] or '0')
if version == tonumber(ARGV[1]) then
    redis.call('HSET', KEYS[1], 'version', version + 1, 'value', ARGV[2], 'writer', ARGV[3])
    return 1
end
return (version == ARGV[1] + 1 and stored[2] == ARGV[3]) and 1 or 0
"""
SOCKET_TIMEOUT = 10.0
RETRIES = 3
"""Retries on a new connection after one broke."""
SCAN_COUNT = 1000
"""Keys per step of a scan; by default Redis visits ten."""


class RedisTokenStore(ClosedOnExit):
    """A token store in Redis, through redis-py.

    Its values never expire: configure Redis to persist them and not to evict keys without expiry.
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
        """Create the store; it connects when it is first used.

        Args:
            server: A URL such as ``redis://localhost:6379/0``, or a client, which is borrowed and
                never closed; it must not decode responses.
            prefix: The prefix of all its keys.
            lock_timeout: Seconds to wait for a lock that another task or process holds.
            lock_ttl: Seconds after which the lock of a process that died expires. A running process
                renews its locks.
        """
        self._owns_client = isinstance(server, str)
        self._client = binary_client(
            server, timeout=SOCKET_TIMEOUT, retry=Retry(ExponentialBackoff(), RETRIES)
        )
        self._address = server_address(self._client)
        self._prefix = prefix
        self._lock_timeout = lock_timeout
        self._lock_ttl = lock_ttl
        self._local_locks = KeyedLocks()
        self._write = self._client.register_script(WRITE)

    def __repr__(self) -> str:
        return f"<RedisTokenStore {self._address} {self._prefix}>"

    async def keys(self) -> list[str]:
        """Return all keys that have a value."""
        prefix = self._token("")
        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", prefix) + "*"
        with wrap_store_errors(self, "reading the keys"):
            scan = self._client.scan_iter(match=pattern, count=SCAN_COUNT)
            found = {name.decode() async for name in scan}
        return [name.removeprefix(prefix) for name in found]

    async def get(self, key: str) -> StoredValue | None:
        """Return the value of a key, or None."""
        with wrap_store_errors(self, f"reading {key}"):
            value, version = await self._client.hmget(self._token(key), "value", "version")
            return None if version is None else StoredValue(value, int(version))

    async def put(self, key: str, value: bytes, *, version: int) -> int:
        """Replace ``version`` of a value, and return the new version."""
        arguments: list[Any] = [version, value, uuid.uuid4().bytes]
        with wrap_store_errors(self, f"writing {key}"):
            written = await self._write(keys=[self._token(key)], args=arguments)
        if not written:
            raise StaleVersionError(key)
        return version + 1

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncIterator[None]:
        """Hold a lock that excludes all other tasks and processes, on all machines.

        If it is lost because Redis is unavailable, the version prevents overwriting.
        """
        locks = (self._local_locks[key], self._shared_lock(key))
        async with hold(self, key, *locks, max_wait=self._lock_timeout):
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
        # Set before it is sent, so that a lock whose response was lost can be released.
        lock.local.token = token = uuid.uuid4().hex.encode()

        async def attempt() -> bool:
            return await lock.acquire(blocking=False, token=token) or await lock.owned()

        renewal: asyncio.Task[None] | None = None
        try:
            await poll_until(lambda: finish_shielded(attempt()))
            renewal = asyncio.create_task(self._renew(lock, key))
            yield
        finally:
            if renewal is not None:
                renewal.cancel()
            await finish_shielded(self._release(lock, key))

    async def _renew(self, lock: Lock, key: str) -> None:
        """Renew the lock until it is lost or this task is cancelled."""
        while True:
            await asyncio.sleep(self._lock_ttl / 3)
            try:
                await lock.reacquire()
            except LockError:
                logger.warning("%s: the lock of %s was lost", self, key)
                return
            except (RedisError, OSError) as error:
                logger.warning("%s: renewing the lock of %s failed: %s", self, key, error)

    async def _release(self, lock: Lock, key: str) -> None:
        try:
            await lock.release()
        except LockError:
            pass  # it was not acquired, or has expired
        except (RedisError, OSError) as error:
            logger.warning("%s: the lock of %s is left to expire: %s", self, key, error)
