"""Group commit: one transaction for the writes that many tasks request at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import attrs
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ..._internal.waiting import GRACE, finish_shielded
from ...errors import TikTokShopError
from ..error_wrapping import wrap_errors
from .error_classes import is_aborted, is_lost, is_rejected

MAX_WRITES = 500
"""Writes in one transaction."""
RESPONSE_TIMEOUT = 30
"""Seconds that a database has to respond."""
RECOVERY = 30.0
"""Seconds for which a transaction is retried on new connections after its connection was lost."""
MIN_PAUSE, MAX_PAUSE = 0.05, 2.0
"""Seconds between two such attempts; the pause doubles."""

V = TypeVar("V")


@attrs.define(eq=False)
class PendingWrite(Generic[V]):
    """A write that a task has requested and may be waiting for."""

    verb: V
    row: Mapping[str, Any]
    """The values, with the ``id`` by which the result is found."""
    result: asyncio.Future[Any]


PendingWrites = Mapping[V, Sequence[PendingWrite[V]]]
Results = dict[V, dict[str, Any]]
Statements = Callable[[AsyncConnection, PendingWrites[V], bool], Awaitable[Results[V]]]
"""Carries out writes in a transaction, and returns the results by verb and by the row's ``id``.

The last argument is true for a retry: an earlier transaction with the same writes may have been
committed, and its response was lost.
"""


@attrs.frozen(kw_only=True)
class CommitPolicy(Generic[V]):
    """The errors of a group commit, and which of its verbs may be dropped or retried."""

    error: type[TikTokShopError]
    """The class of all errors."""
    hint: str
    """The hint of the error for writes that were cut off."""
    idle_timeout: float = 10.0
    """Seconds after which PostgreSQL ends an idle transaction, whose process may be suspended."""
    droppable: Collection[V] = ()
    """Verbs that are not carried out if no task waits for the result any more."""
    retryable: Collection[V] = ()
    """Verbs that are retried after their connection was lost; the others fail then."""


class GroupCommit(Generic[V]):
    """A task that carries out writes; those requested meanwhile share the next transaction.

    ``on_unclaimed`` is called with the verb and the result of a write for which no task waits any
    more.
    """

    def __init__(
        self,
        name: str,
        connections: AsyncEngine,
        statements: Statements[V],
        policy: CommitPolicy[V],
        on_unclaimed: Callable[[V, Any], object],
    ) -> None:
        self._name = name
        self._connections = connections
        self._connection: AsyncConnection | None = None
        self._statements = statements
        self._policy = policy
        self._on_unclaimed = on_unclaimed
        self._idle_timeout = text(
            f"SET LOCAL idle_in_transaction_session_timeout = {int(policy.idle_timeout * 1000)}"
        )
        self._queue: list[PendingWrite[V]] = []
        self._group: Sequence[PendingWrite[V]] = ()
        self._wake = asyncio.Event()
        self._is_closing = False
        self._task: asyncio.Task[None] | None = None
        self.unreported: Exception | None = None
        """The error of a write for which no task waited any more."""

    def start(self) -> None:
        """Start the task that carries out the writes."""
        self._task = asyncio.create_task(self._run())

    def submit(self, verb: V, key: str, **row: Any) -> asyncio.Future[Any]:
        """Request a write; the future resolves when it is committed."""
        result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.append(PendingWrite(verb, {"id": key, **row}, result))
        self._wake.set()
        if self._task is None or self._task.done():
            self._fail_all()
        return result

    async def write(self, verb: V, key: str, **row: Any) -> Any:
        """Request a write and return its result.

        If the caller is cancelled, the result is unclaimed, even if it was there already.
        """
        result = self.submit(verb, key, **row)
        try:
            return await result
        except asyncio.CancelledError:
            if not result.cancelled() and result.exception() is None:
                self._on_unclaimed(verb, result.result())
            raise

    async def aclose(self) -> None:
        """Carry out the pending writes, and stop."""
        self._is_closing = True
        self._wake.set()
        if self._task is not None:
            await finish_shielded(_wait_for(self._task))

    def _fail_all(self) -> None:
        """Fail the pending writes when no task is left that could carry them out."""
        for write in [*self._group, *self._queue]:
            if not write.result.done():
                write.result.set_exception(
                    self._policy.error(
                        f"{self._name}: the connection was closed before a write was carried out.",
                        hint=self._policy.hint,
                    )
                )
        self._group, self._queue = (), []

    async def _run(self) -> None:
        try:
            while self._queue or not self._is_closing:
                if not self._queue:
                    self._wake.clear()
                    await self._wake.wait()
                    await asyncio.sleep(0)  # tasks of the same turn of the loop may add more
                    continue
                group, self._queue = self._queue[:MAX_WRITES], self._queue[MAX_WRITES:]
                self._group = [
                    write
                    for write in group
                    if write.verb not in self._policy.droppable or not write.result.cancelled()
                ]
                await self._commit(self._group)
        finally:
            self._fail_all()
            await self._disconnect()

    async def _commit(self, group: Sequence[PendingWrite[V]], repeated: bool = False) -> None:
        """Carry out writes and resolve their futures; retry if the connection is lost.

        If the database rejects a value, the group is halved until that write fails alone.
        """
        timer = asyncio.get_running_loop().time  # the loop's: connections recover in real time
        until, pause = timer() + RECOVERY, MIN_PAUSE
        while group:
            try:
                with wrap_errors(self._policy.error, self._name, "a transaction"):
                    results = await self._transaction(group, repeated)
            except TikTokShopError as error:
                if len(group) > 1 and is_rejected(error.__cause__):
                    middle = len(group) // 2
                    await self._commit(group[:middle], repeated)
                    await self._commit(group[middle:], repeated)
                    return
                await self._disconnect()
                may_retry = is_lost(error.__cause__) and timer() + pause < until
                group = self._fail_or_keep(error, group, may_retry)
                if group:
                    await asyncio.sleep(pause)
                pause, repeated = min(2 * pause, MAX_PAUSE), True
            else:
                self._deliver(group, results)
                return

    def _fail_or_keep(
        self, error: TikTokShopError, group: Sequence[PendingWrite[V]], may_retry: bool
    ) -> Sequence[PendingWrite[V]]:
        """Return the writes to retry after an error; fail the others with it."""
        kept = [write for write in group if may_retry and write.verb in self._policy.retryable]
        for write in group:
            if write in kept:
                continue
            if not write.result.done():
                write.result.set_exception(error)
            elif write.verb not in self._policy.droppable:
                self.unreported = error
        return kept

    def _deliver(self, group: Sequence[PendingWrite[V]], results: Sequence[Any]) -> None:
        for write, result in zip(group, results, strict=True):
            if not write.result.done():
                write.result.set_result(result)
            else:
                self._on_unclaimed(write.verb, result)

    async def _transaction(self, group: Sequence[PendingWrite[V]], repeated: bool) -> list[Any]:
        writes: dict[V, list[PendingWrite[V]]] = {}
        for write in group:
            writes.setdefault(write.verb, []).append(write)
        while True:
            try:
                async with asyncio.timeout(RESPONSE_TIMEOUT):
                    results = await self._attempt(writes, repeated)
                return [results[write.verb].get(write.row["id"]) for write in group]
            except DBAPIError as error:
                if not is_aborted(error):
                    raise

    async def _attempt(self, writes: PendingWrites[V], repeated: bool) -> Results[V]:
        is_sqlite = self._connections.dialect.name == "sqlite"
        connection = self._connection
        if connection is None:
            connection = self._connection = await self._connections.connect()
            if is_sqlite:
                await connection.execute(text("PRAGMA synchronous=FULL"))
        if not is_sqlite:
            async with connection.begin():
                await connection.execute(self._idle_timeout)
                return await self._statements(connection, writes, repeated)
        await connection.execute(text("BEGIN IMMEDIATE"))
        try:
            results = await self._statements(connection, writes, repeated)
        except BaseException:
            with suppress(DBAPIError):  # after some errors SQLite has rolled back already
                await connection.execute(text("ROLLBACK"))
            raise
        await connection.execute(text("COMMIT"))
        return results

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # the connection is not used again
                async with asyncio.timeout(GRACE):
                    await connection.close()


async def _wait_for(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
