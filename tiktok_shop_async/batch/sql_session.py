"""An open `SQLJournal`: claims that are renewed, and one transaction for all who wait."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import attrs
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from .._failures import reported_as
from .._waiting import GRACE, to_the_end
from ..errors import JournalError, LeaseLostError
from .journal import Busy, Claim, Claimed, Record
from .sql_statements import SENDING, Statements, Verb

MOST_IN_ONE = 500
"""Rows of a transaction."""
ANSWER_TIMEOUT = 30
"""Seconds after which a database that does not answer is given up."""
SHORTEST_STANDSTILL, LONGEST_STANDSTILL = 2, 10
"""Seconds after which PostgreSQL ends a transaction in which nothing goes on."""
MARGIN = 0.1
"""Part of a lease that is left when a request goes out at the latest."""
_ABORTED = {"40001", "40P01"}
"""PostgreSQL chose this transaction to make way for others; nothing of it was done."""
_NO_LEASE_LEFT = 0.0


@attrs.define(eq=False)
class _Wish:
    """A row that somebody wants to have changed, and waits for."""

    verb: Verb
    row: Mapping[str, Any]
    answer: asyncio.Future[Any]


class SQLSession:
    """Claims of one owner; a task keeps them alive, another carries out what is asked."""

    def __init__(
        self, name: str, connections: AsyncEngine, statements: Statements, batch: str, lease: float
    ) -> None:
        self._name = name
        self._connections = connections
        self._connection: AsyncConnection | None = None
        self._statements = statements
        self._batch = batch
        self._lease = lease
        self._owner = uuid4().hex
        # A process that is stopped in the middle of a transaction must not hold up all others.
        longest = min(max(lease / 2, SHORTEST_STANDSTILL), LONGEST_STANDSTILL)
        self._no_standstill = text(
            f"SET LOCAL idle_in_transaction_session_timeout = {int(longest * 1000)}"
        )
        self._held: dict[str, float] = {}
        """Until when a claim is safely ours, by the timer of this machine."""
        self._wishes: list[_Wish] = []
        self._wake = asyncio.Event()
        self._is_closing = False
        self._carried_out: Sequence[_Wish] = ()
        self._unheard: Exception | None = None
        """What failed for somebody who did not wait for it any more."""
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to work."""
        self._tasks = [
            asyncio.create_task(self._carry_out_all()),
            asyncio.create_task(self._keep_alive()),
        ]

    async def aclose(self) -> None:
        """Carry out what was asked, and stop."""
        worker, heartbeat = self._tasks
        heartbeat.cancel()
        self._is_closing = True
        self._wake.set()
        await to_the_end(_all_of(worker, heartbeat))
        if self._unheard is not None:
            raise self._unheard

    # What JournalSession asks for -----------------------------------------------------------------

    async def claim(self, key: str, *, idempotency_key: str | None = None) -> Claimed:
        """Claim a request; it is in the database when this returns."""
        if key in self._held:
            return Busy(key=key, seconds_left=self._lease, is_own=True)
        self._held[key] = _NO_LEASE_LEFT
        now = timer()
        try:
            claimed: Claimed = await self._ask(Verb.CLAIM, key, idempotency_key=idempotency_key)
        except BaseException:
            self._held.pop(key, None)
            raise
        if isinstance(claimed, Claim):
            self._held[key] = now + self._lease
        else:
            del self._held[key]
        return claimed

    def check(self, key: str) -> None:
        """Raise `LeaseLostError` unless nobody else can have the request."""
        if timer() < self._held.get(key, _NO_LEASE_LEFT) - MARGIN * self._lease:
            return
        raise LeaseLostError(
            f"{key} was not sent: its lease of {self._lease:g} seconds could not be renewed.",
            hint="Another process may be at it by now; the journal tells.",
        )

    async def finish(self, record: Record) -> bool:
        """Make a request final; False if it is ours no longer."""
        self._held.pop(record.key, None)
        done: bool = await self._ask(
            Verb.FINISH,
            record.key,
            state=record.status,
            request_id=record.request_id,
            code=record.code,
            message=record.message,
            hint=record.hint,
            attempts=record.attempts,
            details=json.dumps(dict(record.details)) if record.details else None,
        )
        return done

    async def release(self, key: str) -> None:
        """Take a claim back."""
        self._held.pop(key, None)
        await self._ask(Verb.RELEASE, key)

    async def let_go(self, key: str) -> None:
        """Give a claim up that may have been sent."""
        self._held.pop(key, None)
        await self._ask(Verb.LET_GO, key)

    # How it is done -------------------------------------------------------------------------------

    def _ask(self, verb: Verb, key: str, **row: Any) -> asyncio.Future[Any]:
        wish = _Wish(verb, {"id": key, **row}, asyncio.get_running_loop().create_future())
        self._wishes.append(wish)
        self._wake.set()
        if self._tasks[0].done():
            self._refuse_all()
        return wish.answer

    def _refuse_all(self) -> None:
        """Keep nobody waiting when there is no task any more that could answer."""
        for wish in [*self._carried_out, *self._wishes]:
            if not wish.answer.done():
                wish.answer.set_exception(
                    JournalError(
                        f"{self._name} was cut off.", hint="Run the batch again: it finds out."
                    )
                )
        self._carried_out, self._wishes = (), []

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            now, held = timer(), {key: until for key, until in self._held.items() if until}
            with suppress(JournalError):  # the next beat may succeed, and else `check` says no
                wishes = [self._ask(Verb.RENEW, key) for key in held]
                answers = await asyncio.gather(*wishes)
                for (key, until), is_ours in zip(held.items(), answers, strict=True):
                    if self._held.get(key) == until:  # and not given up, nor claimed anew
                        self._held[key] = now + self._lease if is_ours else _NO_LEASE_LEFT

    async def _carry_out_all(self) -> None:
        """Take what is there into one transaction; meanwhile the next ones gather."""
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
                    if wish.verb is not Verb.CLAIM or not wish.answer.cancelled()
                ]
                await self._carry_out(self._carried_out)
        finally:
            self._refuse_all()
            await self._disconnect()

    async def _carry_out(self, group: Sequence[_Wish]) -> None:
        try:
            with reported_as(JournalError, self._name, "a transaction"):
                answers = await self._transaction(group)
        except JournalError as error:
            await self._disconnect()
            for wish in group:
                if not wish.answer.done():
                    wish.answer.set_exception(error)
                elif wish.verb is not Verb.CLAIM:
                    self._unheard = error
            return
        for wish, answer in zip(group, answers, strict=True):
            if not wish.answer.done():
                wish.answer.set_result(answer)
            elif isinstance(answer, Claim):  # whoever asked for it is gone
                self._ask(Verb.LET_GO if answer.maybe_sent else Verb.RELEASE, answer.key)

    async def _transaction(self, group: Sequence[_Wish]) -> list[Any]:
        wishes = {verb: [wish for wish in group if wish.verb is verb] for verb in Verb}
        while True:
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT):
                    answers = await self._attempt({k: v for k, v in wishes.items() if v})
                return [answers[wish.verb].get(wish.row["id"]) for wish in group]
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) not in _ABORTED:
                    raise

    async def _attempt(self, wishes: Mapping[Verb, Sequence[_Wish]]) -> dict[Verb, dict[str, Any]]:
        connection = self._connection
        if connection is None:
            connection = self._connection = await self._connections.connect()
            if self._is_sqlite:
                await connection.execute(text("PRAGMA synchronous=FULL"))
        if not self._is_sqlite:
            async with connection.begin():
                await connection.execute(self._no_standstill)
                return await self._statements_for(connection, wishes)
        await connection.execute(text("BEGIN IMMEDIATE"))
        try:
            answers = await self._statements_for(connection, wishes)
        except BaseException:
            await connection.execute(text("ROLLBACK"))
            raise
        await connection.execute(text("COMMIT"))
        return answers

    async def _statements_for(
        self, connection: AsyncConnection, wishes: Mapping[Verb, Sequence[_Wish]]
    ) -> dict[Verb, dict[str, Any]]:
        answers: dict[Verb, dict[str, Any]] = {}
        for verb, asked in wishes.items():
            # In one order everywhere: transactions that lock the same rows must not cross.
            rows = sorted((wish.row for wish in asked), key=lambda row: str(row["id"]))
            values = {"batch": self._batch, "owner": self._owner, "rows": json.dumps(rows)}
            if verb in {Verb.CLAIM, Verb.RENEW}:
                values["lease"] = self._lease  # type: ignore[assignment]
            done = await connection.execute(self._statements.of[verb], values)
            keys = [row["id"] for row in rows]
            if verb is Verb.CLAIM:
                answers[verb] = {row.key: _claim(row) for row in done}
                missing = [key for key in keys if key not in answers[verb]]
                if missing:
                    answers[verb] |= await self._taken(connection, missing)
            elif verb in {Verb.FINISH, Verb.RENEW}:
                found = {row.key for row in done}
                answers[verb] = {key: key in found for key in keys}
            else:
                answers[verb] = {}
        return answers

    async def _taken(self, connection: AsyncConnection, keys: list[str]) -> dict[str, Claimed]:
        """Return what is known of requests that could not be claimed."""
        values = {"batch": self._batch, "rows": json.dumps([{"id": key} for key in keys])}
        rows = await connection.execute(self._statements.read, values)
        known: dict[str, Claimed] = {key: Busy(key=key, seconds_left=0.0) for key in keys}
        for row in rows:
            is_own = row.owner == self._owner
            if row.state == SENDING:
                left = max(0.0, row.seconds_left)
                known[row.key] = Busy(key=row.key, seconds_left=left, is_own=is_own)
            else:
                known[row.key] = record_in(row, is_own=is_own)
        return known

    @property
    def _is_sqlite(self) -> bool:
        return self._connections.dialect.name == "sqlite"

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it was of no use any more
                async with asyncio.timeout(GRACE):
                    await connection.close()


def timer() -> float:
    """Return seconds that go on while the machine is suspended, unlike `time.monotonic`'s."""
    return _timer()


_timer: Callable[[], float] = time.monotonic
if hasattr(time, "CLOCK_BOOTTIME"):

    def _timer() -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)


def record_in(row: Any, *, is_own: bool = False) -> Record:
    """Return the final state that a row has."""
    return Record(
        key=row.key,
        status=row.state,
        request_id=row.request_id or "",
        code=row.code,
        message=row.message or "",
        hint=row.hint,
        attempts=row.attempts or 0,
        details=json.loads(row.details) if row.details else {},
        is_own=is_own,
    )


def _claim(row: Any) -> Claim:
    return Claim(
        key=row.key,
        maybe_sent=row.claims > 1,
        first_claimed_at=datetime.fromtimestamp(row.first_claimed_at, UTC),
        idempotency_key=row.idempotency_key,
    )


async def _all_of(*tasks: asyncio.Task[None]) -> None:
    await asyncio.wait(tasks)
