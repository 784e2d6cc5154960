"""An open `SQLJournal`: claims that are renewed, and one transaction for all who wait."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ..._storage.sql.group_commit import Answers, GroupCommit, Wishes
from ..._storage.sql.text import storable
from ...errors import JournalError, LeaseLostError
from .base import Busy, Claim, Claimed, Record
from .sql_statements import SENDING, Statements, Verb

SHORTEST_STANDSTILL, LONGEST_STANDSTILL = 2, 10
"""Seconds after which PostgreSQL ends a transaction in which nothing goes on."""
MARGIN = 0.1
"""Part of a lease that is left when a request goes out at the latest."""
_NO_LEASE_LEFT = 0.0
MAX_INTEGER = 2**63
"""Below which databases take integers; a damaged response may have any code."""

Rows: TypeAlias = Sequence[Mapping[str, Any]]


class SQLSession:
    """Claims of one owner; a task keeps them alive, another carries out what is asked."""

    def __init__(
        self, name: str, connections: AsyncEngine, statements: Statements, batch: str, lease: float
    ) -> None:
        self._statements = statements
        self._batch = batch
        self._lease = lease
        self._owner = uuid4().hex
        self._held: dict[str, float] = {}
        """Until when a claim is safely ours, by the timer of this machine."""
        self._group_commit = GroupCommit(
            name,
            connections,
            self._statements_for,
            error=JournalError,
            hint="Run the batch again: it finds out.",
            standstill=min(max(lease / 2, SHORTEST_STANDSTILL), LONGEST_STANDSTILL),
            droppable={Verb.CLAIM},
            repeatable=set(Verb),  # see `_statements_for`
            unwanted=self._undo,
        )
        self._ask = self._group_commit.ask
        self._heartbeat: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to work."""
        self._group_commit.start()
        self._heartbeat = asyncio.create_task(self._keep_alive())

    async def aclose(self) -> None:
        """Carry out what was asked, and stop."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        await self._group_commit.aclose()
        if self._group_commit.unheard is not None:
            raise self._group_commit.unheard

    # What JournalSession asks for -----------------------------------------------------------------

    async def claim(self, key: str, *, idempotency_key: str | None = None) -> Claimed:
        """Claim a request; it is in the database when this returns."""
        if key in self._held:
            return Busy(key=key, seconds_left=self._lease, is_own=True)
        self._held[key] = _NO_LEASE_LEFT
        now = timer()
        try:
            claimed: Claimed = await self._group_commit.answer(
                Verb.CLAIM, key, idempotency_key=idempotency_key
            )
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
        done: bool = await self._give_up(
            Verb.FINISH,
            record.key,
            state=record.status,
            request_id=storable(record.request_id),
            code=record.code if abs(record.code or 0) < MAX_INTEGER else None,
            message=storable(record.message),
            hint=storable(record.hint),
            attempts=record.attempts,
            details=json.dumps(dict(record.details)) if record.details else None,
        )
        return done

    async def release(self, key: str) -> None:
        """Take a claim back."""
        await self._give_up(Verb.RELEASE, key)

    async def abandon(self, key: str) -> None:
        """Give a claim up that may have been sent."""
        await self._give_up(Verb.LET_GO, key)

    # How it is done -------------------------------------------------------------------------------

    async def _give_up(self, verb: Verb, key: str, **row: Any) -> Any:
        """End a claim; until that is done, or if it fails, it can neither be sent nor claimed."""
        self._held[key] = _NO_LEASE_LEFT
        answer = await self._ask(verb, key, **row)
        self._held.pop(key, None)
        return answer

    def _undo(self, verb: Verb, answer: Any) -> None:
        if isinstance(answer, Claim):  # whoever asked for it is gone
            self._ask(Verb.LET_GO if answer.maybe_sent else Verb.RELEASE, answer.key)

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

    async def _statements_for(
        self, connection: AsyncConnection, wishes: Wishes[Verb], repeated: bool
    ) -> Answers[Verb]:
        """Carry wishes out; a repeated one has the answer that the first attempt would have had.

        - CLAIM: what the first attempt has claimed is found by its owner, which is this session.
        - FINISH: so is what the first attempt has made final.
        - RELEASE, LET_GO and RENEW change nothing when they are repeated.
        """
        answers: Answers[Verb] = {}
        for verb in Verb:
            asked = wishes.get(verb, ())
            if not asked:
                continue
            # In one order everywhere: transactions that lock the same rows must not cross.
            rows = sorted((wish.row for wish in asked), key=lambda row: str(row["id"]))
            if verb is Verb.CLAIM:
                answers[verb] = await self._claimed(connection, rows, repeated)
            elif verb is Verb.FINISH:
                answers[verb] = await self._finished(connection, rows, repeated)
            else:
                found = {row.key for row in await self._execute(connection, verb, rows)}
                answers[verb] = {row["id"]: row["id"] in found for row in rows}
        return answers

    async def _claimed(
        self, connection: AsyncConnection, rows: Rows, repeated: bool
    ) -> dict[str, Any]:
        claimed: dict[str, Any] = {}
        if repeated:
            claimed |= await self._claimed_before(connection, rows)
        for row in await self._execute(connection, Verb.CLAIM, _left(rows, claimed)):
            claimed[row.key] = _claim(row)
        if repeated:  # once more: the insertion has waited for a transaction that was under way
            claimed |= await self._claimed_before(connection, _left(rows, claimed))
        left = _left(rows, claimed)
        return claimed | await self._taken(connection, left) if left else claimed

    async def _claimed_before(self, connection: AsyncConnection, rows: Rows) -> dict[str, Claim]:
        """Renew, and return, the claims of this session."""
        return {row.key: _claim(row) for row in await self._execute(connection, Verb.RENEW, rows)}

    async def _finished(
        self, connection: AsyncConnection, rows: Rows, repeated: bool
    ) -> dict[str, bool]:
        done = {row.key for row in await self._execute(connection, Verb.FINISH, rows)}
        left = [row for row in rows if row["id"] not in done]
        if repeated and left:
            states = {row["id"]: row["state"] for row in left}
            for row in await self._read(connection, left):
                if row.owner == self._owner and row.state == states[row.key]:
                    done.add(row.key)
        return {row["id"]: row["id"] in done for row in rows}

    async def _execute(self, connection: AsyncConnection, verb: Verb, rows: Rows) -> Sequence[Any]:
        """Execute a verb's statement for rows, and return those that it returns."""
        if not rows:
            return ()
        values = {"batch": self._batch, "owner": self._owner, "rows": json.dumps(list(rows))}
        if verb in {Verb.CLAIM, Verb.RENEW}:
            values["lease"] = self._lease  # type: ignore[assignment]
        done = await connection.execute(self._statements.of[verb], values)
        return done.all() if done.returns_rows else ()

    async def _read(self, connection: AsyncConnection, rows: Rows) -> Sequence[Any]:
        keys = json.dumps([{"id": row["id"]} for row in rows])
        done = await connection.execute(self._statements.read, {"batch": self._batch, "rows": keys})
        return done.all()

    async def _taken(self, connection: AsyncConnection, rows: Rows) -> dict[str, Claimed]:
        """Return what is known of requests that could not be claimed."""
        known: dict[str, Claimed] = {
            row["id"]: Busy(key=row["id"], seconds_left=0.0) for row in rows
        }
        for row in await self._read(connection, rows):
            is_own = row.owner == self._owner
            if row.state == SENDING:
                left = max(0.0, row.seconds_left)
                known[row.key] = Busy(key=row.key, seconds_left=left, is_own=is_own)
            else:
                known[row.key] = record_in(row, is_own=is_own)
        return known


def _left(rows: Rows, answers: Mapping[str, Any]) -> Rows:
    return [row for row in rows if row["id"] not in answers]


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
