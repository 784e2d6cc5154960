"""A store of events in Redis."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

try:
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import ExponentialBackoff
except ImportError as error:
    raise ImportError(
        "RedisWebhookStore needs a further package: pip install 'tiktok-shop-async[redis]'",
        name=error.name,
    ) from error

from ..._internal.closing import ClosedOnExit
from ..._internal.waiting import GRACE, finish_shielded
from ..._storage.error_wrapping import wrap_errors
from ..._storage.redis import binary_client, close_client, server_address
from ...errors import WebhookStoreError
from . import redis_scripts as scripts
from .base import (
    DEFAULT_RETENTION,
    ClaimedEvent,
    DeadLetter,
    NewEvent,
    StoredCounts,
    WaitingEvent,
    check_max_waiting,
    check_retention,
    full_error,
    to_datetime,
)
from .completion_tracker import CompletionTracker, Outstanding

SOCKET_TIMEOUT = 10.0
RETRIES = 3
"""Attempts on a new connection after one broke."""
PAGE = 1000
"""Keys in one request."""
EVENTS_PAGE = 50
"""Events with their bodies in one response."""

reported = partial(wrap_errors, WebhookStoreError)


class RedisWebhookStore(ClosedOnExit):
    """A store in Redis that keeps events until they are handled.

    It is as durable as Redis: configure it to write to disk (``appendonly yes``) and not to evict
    these keys. Use it as an async context manager, or call `aclose` when done. Its keys contain
    what the platform sent, including buyers' data, until an event is handled or discarded.
    """

    is_durable = True

    def __init__(
        self,
        server: str | Redis,
        *,
        prefix: str = "{tiktok-shop-webhooks}:",
        max_waiting: int = 1_000_000,
        remember: float = DEFAULT_RETENTION,
    ) -> None:
        """Create the store; it connects when it is first used.

        Args:
            server: A URL such as ``redis://localhost:6379/0``, or a client, which is borrowed and
                never closed; it must not decode responses.
            prefix: The start of the names of all its keys. The braces keep them on one node of a
                cluster.
            max_waiting: Maximum number of waiting events. Further ones are refused, so that the
                platform sends them again.
            remember: Seconds for which an id is remembered, at least a day.
        """
        self._owns_client = isinstance(server, str)
        self._client = binary_client(
            server, timeout=SOCKET_TIMEOUT, retry=Retry(ExponentialBackoff(), RETRIES)
        )
        self._prefix = prefix
        self._max_waiting = check_max_waiting(max_waiting)
        self._remember = check_retention(remember)
        self._sets = [f"{prefix}{name}" for name in ("waiting", "dead", "blocked")]
        self._scripts: dict[str, Any] = {}
        self._tracker = CompletionTracker()

    def __repr__(self) -> str:
        return f"<RedisWebhookStore {server_address(self._client)} {self._prefix}>"

    async def aclose(self) -> None:
        """Close the connections, unless the client is borrowed."""
        if self._owns_client:
            await close_client(self._client)

    async def add(self, event: NewEvent) -> bool:
        """Store an event and return whether it is new."""
        # Earlier versions remembered names without an app, for all apps.
        unscoped = [_bytes(name) for name in (event.id, *event.unless)]
        result = await self._run(
            scripts.ADD,
            event.key,
            _bytes(event.id),
            event.body,
            _bytes(event.app_key or ""),
            uuid.uuid4().hex,
            int(self._remember * 1000),
            self._max_waiting,
            event.object_key or "",
            event.state_key or "",
            event.changed_at if event.state_key else "",
            len(event.aliases),
            *event.keys_of(event.aliases),
            *event.keys_of(event.unless),
            *unscoped,
        )
        if result < 0:
            raise full_error(
                self._max_waiting, "Handlers are too slow: run more processes with this store."
            )
        return bool(result)

    async def claim(self, limit: int, *, lease: float) -> Sequence[ClaimedEvent]:
        """Claim events that are due.

        If the caller is cancelled, events that the server has claimed for it are put back.
        """
        claiming = asyncio.create_task(self._claim(limit, lease))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            await finish_shielded(self._put_back_all(claiming))
            raise

    async def _claim(self, limit: int, lease: float) -> list[ClaimedEvent]:
        claim = uuid.uuid4().hex
        claimed = await self._run(scripts.CLAIM, limit, lease, claim)
        return [
            ClaimedEvent(
                key=_text(key),
                id=_text(key if id_ is None else id_),
                body=body,
                app_key=_text(app_key) or None,
                attempt=attempt,
                received_at=to_datetime(float(received_at)),
                claim=claim,
                object=None if about is None else _text(about),
                is_outdated=bool(is_outdated),
            )
            for key, id_, body, app_key, received_at, attempt, about, is_outdated in claimed
        ]

    async def renew(self, claims: Collection[ClaimedEvent], *, lease: float) -> None:
        """Extend claims."""
        held = [part for claim in claims for part in (_bytes(claim.key), claim.claim)]
        await self._run(scripts.RENEW, lease, *held)

    async def finish(self, claim: ClaimedEvent) -> None:
        """Remove an event that was handled."""
        key = _bytes(claim.key)
        if claim.object is None:
            await self._run(scripts.FINISH, key)
        else:
            await self._run(scripts.FINISH_IN_ORDER, key, claim.claim, int(self._remember * 1000))
        self._tracker.add(claim.key)

    async def put_back(
        self,
        claim: ClaimedEvent,
        *,
        after: float = 0.0,
        counted: bool = True,
        error: str | None = None,
    ) -> None:
        """Make an event due again."""
        key, text = _bytes(claim.key), (error or "").encode("utf-8", "replace")
        await self._run(scripts.PUT_BACK, key, claim.claim, after, int(not counted), text)

    async def dead_letter(self, claim: ClaimedEvent, *, error: str) -> None:
        """Move an event to the dead letters."""
        text = error.encode("utf-8", "replace")
        await self._run(scripts.DEAD_LETTER, _bytes(claim.key), claim.claim, text)
        self._tracker.add(claim.key)

    async def waiting(self) -> AsyncIterator[WaitingEvent]:
        """Yield the events that wait or are being handled."""
        keys = await self._waiting()
        for at in range(0, len(keys), EVENTS_PAGE):
            for key, due, id_, body, app_key, attempts, error, received_at, held in await self._run(
                scripts.WAITING, *keys[at : at + EVENTS_PAGE]
            ):
                yield WaitingEvent(
                    key=_text(key),
                    id=_text(key if id_ is None else id_),
                    body=body,
                    app_key=_text(app_key) or None,
                    attempts=int(attempts),
                    error=None if error is None else error.decode(),
                    received_at=to_datetime(float(received_at)),
                    due_at=to_datetime(float(due)),
                    is_being_handled=bool(held),
                )

    async def join(self) -> None:
        """Wait until the events that wait now are handled or dead-lettered."""

        async def snapshot() -> Outstanding:
            keys = await self._waiting()

            async def outstanding() -> list[str]:
                while keys:
                    left = await self._run(scripts.OUTSTANDING, *keys[:PAGE])
                    keys[:PAGE] = left
                    if left:
                        return [_text(key) for key in left]
                return []

            return outstanding

        await self._tracker.join(snapshot)

    async def dead_letters(self) -> AsyncIterator[DeadLetter]:
        """Yield the dead letters, the oldest first."""
        fields = ("id", "body", "app_key", "attempts", "error", "received_at", "died_at")
        for key in await self._keys(self._sets[1]):
            with reported(self, "reading a dead letter"):
                kept = await self._client.hmget(_bytes(f"{self._prefix}event:") + key, fields)
            id_, body, app_key, attempts, error, received_at, died_at = kept
            if died_at is not None:  # otherwise it was replayed or deleted meanwhile
                yield DeadLetter(
                    key=_text(key),
                    id=_text(key if id_ is None else id_),
                    body=body,
                    app_key=_text(app_key) or None,
                    attempts=int(attempts),
                    error=error.decode(),
                    received_at=to_datetime(float(received_at)),
                    died_at=to_datetime(float(died_at)),
                )

    async def replay(self, *keys: str) -> int:
        """Make dead letters due again."""
        return await self._for_each(scripts.REPLAY, await self._dead(keys))

    async def discard(self, *keys: str) -> int:
        """Delete dead letters."""
        return await self._for_each(scripts.DISCARD, await self._dead(keys))

    async def counts(self) -> StoredCounts:
        """Return the number of events."""
        waiting, dead, blocked = await self._run(scripts.COUNTS)
        return StoredCounts(waiting=waiting + blocked, dead=dead)

    async def forget(self) -> None:
        """Unblock events of objects whose earlier events were evicted or deleted.

        Remembered ids expire by themselves.
        """
        await self._for_each(scripts.REPAIR_ORDER, await self._keys(self._sets[2]))

    async def cursor(self, name: str) -> int | None:
        """Return the position of a poller."""
        with reported(self, "reading a cursor"):
            position = await self._client.get(f"{self._prefix}cursor:{name}")
        return None if position is None else int(position)

    async def move_cursor(self, name: str, to: int) -> None:
        """Store the position of a poller."""
        await self._run(scripts.MOVE_CURSOR, to, keys=[f"{self._prefix}cursor:{name}"])

    async def _dead(self, keys: Sequence[str]) -> list[bytes]:
        return [_bytes(key) for key in keys] or await self._keys(self._sets[1])

    async def _for_each(self, script: str, keys: Sequence[bytes]) -> int:
        """Run a script with keys of events, page by page; return the sum of the results."""
        parts = [keys[at : at + PAGE] for at in range(0, len(keys), PAGE)]
        return sum([await self._run(script, *part) for part in parts])

    async def _put_back_all(self, claiming: asyncio.Task[list[ClaimedEvent]]) -> None:
        with suppress(WebhookStoreError, TimeoutError):
            async with asyncio.timeout(GRACE):
                for each in await claiming:
                    await self.put_back(each, counted=False)

    async def _waiting(self) -> list[bytes]:
        """Return the keys of all waiting events.

        Blocked ones are read first, because they may move to the others meanwhile.
        """
        blocked = await self._keys(self._sets[2])
        return list(dict.fromkeys(blocked + await self._keys(self._sets[0])))

    async def _keys(self, name: str) -> list[bytes]:
        with reported(self, "reading keys"):
            keys: list[bytes] = await self._client.zrange(name, 0, -1)
            return keys

    async def _run(self, script: str, *arguments: Any, keys: Sequence[str] | None = None) -> Any:
        if script not in self._scripts:
            self._scripts[script] = self._client.register_script(script)
        given = arguments if keys else (self._prefix, *arguments)
        with reported(self, "a script"):
            return await self._scripts[script](keys=keys or self._sets, args=given)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogatepass")
