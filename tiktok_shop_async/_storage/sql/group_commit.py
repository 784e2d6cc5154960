"""One transaction for all who wait: what many tasks ask of a database at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import attrs
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ..._internal.error_causes import raise_as
from ..._internal.waiting import GRACE, finish_shielded
from ...errors import TikTokShopError
from .lost_connections import is_aborted, is_lost, is_rejected

MOST_IN_ONE = 500
"""Rows of a transaction."""
ANSWER_TIMEOUT = 30
"""Seconds after which a database that does not answer is given up."""
RECOVERY = 30.0
"""Seconds for which a transaction whose connection was lost is repeated on new connections."""
MIN_PAUSE, MAX_PAUSE = 0.05, 2.0
"""Seconds between two such attempts; the pause doubles."""

V = TypeVar("V")


@attrs.define(eq=False)
class PendingWrite(Generic[V]):
    """A row that somebody wants to have changed, and waits for."""

    verb: V
    row: Mapping[str, Any]
    """With the ``id`` by which its answer is found."""
    answer: asyncio.Future[Any]


Wishes = Mapping[V, Sequence[PendingWrite[V]]]
Answers = dict[V, dict[str, Any]]
Statements = Callable[[AsyncConnection, Wishes[V], bool], Awaitable[Answers[V]]]
"""Does what is wished in a transaction, and returns the answers by verb and by the row's ``id``.

The last argument says whether it is repeated: an earlier transaction of the same wishes may have
been committed, and its response was lost.
"""


class GroupCommit(Generic[V]):
    """A task that carries out wishes; those that come meanwhile go into the next transaction."""

    def __init__(
        self,
        name: str,
        connections: AsyncEngine,
        statements: Statements[V],
        *,
        error: type[TikTokShopError],
        hint: str,
        standstill: float = 10.0,
        droppable: Collection[V] = (),
        repeatable: Collection[V] = (),
        unwanted: Callable[[V, Any], object] = lambda verb, answer: None,
    ) -> None:
        """Make it; it begins with `start`.

        Args:
            name: Of whom errors tell, which are of this kind, with this ``hint`` where it was cut
                off.
            standstill: Seconds after which PostgreSQL ends a transaction in which nothing goes on:
                a process that is stopped in the middle of one must not hold up all others.
            droppable: Verbs that are not carried out if nobody waits for the answer any more.
            repeatable: Verbs that are carried out again when the connection was lost; the others
                fail then.
            unwanted: Hears of an answer that nobody waited for in the end.
        """
        self._name = name
        self._connections = connections
        self._connection: AsyncConnection | None = None
        self._statements = statements
        self._error = error
        self._hint = hint
        self._no_standstill = text(
            f"SET LOCAL idle_in_transaction_session_timeout = {int(standstill * 1000)}"
        )
        self._droppable = droppable
        self._repeatable = repeatable
        self._unwanted = unwanted
        self._wishes: list[PendingWrite[V]] = []
        self._carried_out: Sequence[PendingWrite[V]] = ()
        self._wake = asyncio.Event()
        self._is_closing = False
        self._task: asyncio.Task[None] | None = None
        self.unheard: Exception | None = None
        """What failed for somebody who did not wait for it any more."""

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._carry_out_all())

    def ask(self, verb: V, key: str, **row: Any) -> asyncio.Future[Any]:
        """PendingWrite for a change of a row; it is in the database once the answer is there."""
        wish = PendingWrite(verb, {"id": key, **row}, asyncio.get_running_loop().create_future())
        self._wishes.append(wish)
        self._wake.set()
        if self._task is None or self._task.done():
            self._refuse_all()
        return wish.answer

    async def answer(self, verb: V, key: str, **row: Any) -> Any:
        """PendingWrite for a change and wait for the answer.

        It is unwanted if the caller is cancelled, even when the answer is there already.
        """
        answer = self.ask(verb, key, **row)
        try:
            return await answer
        except asyncio.CancelledError:
            if not answer.cancelled() and answer.exception() is None:
                self._unwanted(verb, answer.result())
            raise

    async def aclose(self) -> None:
        """Carry out what was asked, and stop."""
        self._is_closing = True
        self._wake.set()
        if self._task is not None:
            await finish_shielded(_ended(self._task))

    def _refuse_all(self) -> None:
        """Keep nobody waiting when there is no task any more that could answer."""
        for wish in [*self._carried_out, *self._wishes]:
            if not wish.answer.done():
                wish.answer.set_exception(
                    self._error(f"{self._name} was cut off.", hint=self._hint)
                )
        self._carried_out, self._wishes = (), []

    async def _carry_out_all(self) -> None:
        try:
            while self._wishes or not self._is_closing:
                if not self._wishes:
                    self._wake.clear()
                    await self._wake.wait()
                    await asyncio.sleep(0)  # others come in the same turn of the loop
                    continue
                group, self._wishes = self._wishes[:MOST_IN_ONE], self._wishes[MOST_IN_ONE:]
                self._carried_out = [
                    wish
                    for wish in group
                    if wish.verb not in self._droppable or not wish.answer.cancelled()
                ]
                await self._carry_out(self._carried_out)
        finally:
            self._refuse_all()
            await self._disconnect()

    async def _carry_out(self, group: Sequence[PendingWrite[V]], repeated: bool = False) -> None:
        """Carry wishes out, and notify those who wait; repeat it if the connection is lost.

        If the database rejects a value, the group is halved until that wish alone fails.
        """
        timer = asyncio.get_running_loop().time
        until, pause = timer() + RECOVERY, MIN_PAUSE
        while group:
            try:
                with raise_as(self._error, self._name, "a transaction"):
                    answers = await self._transaction(group, repeated)
            except TikTokShopError as error:
                if len(group) > 1 and is_rejected(error.__cause__):
                    middle = len(group) // 2
                    await self._carry_out(group[:middle], repeated)
                    await self._carry_out(group[middle:], repeated)
                    return
                await self._disconnect()
                may_repeat = is_lost(error.__cause__) and timer() + pause < until
                group = self._left_after(error, group, may_repeat)
                if group:
                    await asyncio.sleep(pause)
                pause, repeated = min(2 * pause, MAX_PAUSE), True
            else:
                self._deliver(group, answers)
                return

    def _left_after(
        self, error: TikTokShopError, group: Sequence[PendingWrite[V]], may_repeat: bool
    ) -> Sequence[PendingWrite[V]]:
        """Return the wishes that are repeated after an error; the others fail with it."""
        left = [wish for wish in group if may_repeat and wish.verb in self._repeatable]
        for wish in group:
            if wish in left:
                continue
            if not wish.answer.done():
                wish.answer.set_exception(error)
            elif wish.verb not in self._droppable:
                self.unheard = error
        return left

    def _deliver(self, group: Sequence[PendingWrite[V]], answers: Sequence[Any]) -> None:
        for wish, answer in zip(group, answers, strict=True):
            if not wish.answer.done():
                wish.answer.set_result(answer)
            else:
                self._unwanted(wish.verb, answer)

    async def _transaction(self, group: Sequence[PendingWrite[V]], repeated: bool) -> list[Any]:
        wishes: dict[V, list[PendingWrite[V]]] = {}
        for wish in group:
            wishes.setdefault(wish.verb, []).append(wish)
        while True:
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT):
                    answers = await self._attempt(wishes, repeated)
                return [answers[wish.verb].get(wish.row["id"]) for wish in group]
            except DBAPIError as error:
                if not is_aborted(error):
                    raise

    async def _attempt(self, wishes: Wishes[V], repeated: bool) -> Answers[V]:
        is_sqlite = self._connections.dialect.name == "sqlite"
        connection = self._connection
        if connection is None:
            connection = self._connection = await self._connections.connect()
            if is_sqlite:
                await connection.execute(text("PRAGMA synchronous=FULL"))
        if not is_sqlite:
            async with connection.begin():
                await connection.execute(self._no_standstill)
                return await self._statements(connection, wishes, repeated)
        await connection.execute(text("BEGIN IMMEDIATE"))
        try:
            answers = await self._statements(connection, wishes, repeated)
        except BaseException:
            with suppress(DBAPIError):  # after some errors SQLite has done so already
                await connection.execute(text("ROLLBACK"))
            raise
        await connection.execute(text("COMMIT"))
        return answers

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it was of no use any more
                async with asyncio.timeout(GRACE):
                    await connection.close()


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
