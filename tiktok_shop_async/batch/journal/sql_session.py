"""An open session of a `SQLJournal`: it renews its claims and groups writes in transactions."""

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

from ..._storage.sql.group_commit import CommitPolicy, GroupCommit, PendingWrites, Results
from ..._storage.sql.text import storable
from ...errors import JournalError, LeaseLostError
from .base import Busy, Claim, Claimed, Record
from .sql_statements import SENDING, Statements, Verb

MIN_IDLE_TIMEOUT, MAX_IDLE_TIMEOUT = 2, 10
"""Seconds after which PostgreSQL ends an idle transaction."""
MARGIN = 0.1
"""The part of a lease that must be left when a request is sent."""
_NO_LEASE_LEFT = 0.0
MAX_INTEGER = 2**63
"""The limit of integers in databases; a damaged response may have any code."""

Rows: TypeAlias = Sequence[Mapping[str, Any]]


class SQLSession:
    """The claims of one owner; one task renews them, another carries out the writes."""

    def __init__(
        self, name: str, connections: AsyncEngine, statements: Statements, batch: str, lease: float
    ) -> None:
        self._statements = statements
        self._batch = batch
        self._lease = lease
        self._owner = uuid4().hex
        self._held: dict[str, float] = {}
        """By key, the time at which the lease ends according to `timer`."""
        self._group_commit = GroupCommit(
            name,
            connections,
            self._execute_all,
            CommitPolicy(
                error=JournalError,
                hint="Run the batch again; it looks up what may have been sent.",
                idle_timeout=min(max(lease / 2, MIN_IDLE_TIMEOUT), MAX_IDLE_TIMEOUT),
                droppable={Verb.CLAIM},
                retryable=set(Verb),  # see `_execute_all`
            ),
            on_unclaimed=self._undo,
        )
        self._submit = self._group_commit.submit
        self._heartbeat: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the tasks."""
        self._group_commit.start()
        self._heartbeat = asyncio.create_task(self._renew_claims())

    async def aclose(self) -> None:
        """Carry out the pending writes, and stop."""
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        await self._group_commit.aclose()
        if self._group_commit.unreported is not None:
            raise self._group_commit.unreported

    # Methods of JournalSession --------------------------------------------------------------------

    async def claim(self, key: str, *, idempotency_key: str | None = None) -> Claimed:
        """Claim a request; the claim is in the database on return."""
        if key in self._held:
            return Busy(key=key, seconds_left=self._lease, is_own=True)
        self._held[key] = _NO_LEASE_LEFT
        now = timer()
        try:
            claimed: Claimed = await self._group_commit.write(
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
        """Raise `LeaseLostError` unless the claim certainly holds now."""
        if timer() < self._held.get(key, _NO_LEASE_LEFT) - MARGIN * self._lease:
            return
        raise LeaseLostError(
            f"{key} was not sent: its lease of {self._lease:g} seconds could not be renewed.",
            hint="Another process may have it now; see the journal.",
        )

    async def finish(self, record: Record) -> bool:
        """Store the final state of a request; return False if its claim is lost."""
        is_stored: bool = await self._end_claim(
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
        return is_stored

    async def release(self, key: str) -> None:
        """Release a claim: nothing was sent."""
        await self._end_claim(Verb.RELEASE, key)

    async def abandon(self, key: str) -> None:
        """Abandon a claim: the request may have been sent."""
        await self._end_claim(Verb.ABANDON, key)

    # Implementation -------------------------------------------------------------------------------

    async def _end_claim(self, verb: Verb, key: str, **row: Any) -> Any:
        """End a claim; until that succeeds, the request can neither be sent nor claimed here."""
        self._held[key] = _NO_LEASE_LEFT
        result = await self._submit(verb, key, **row)
        self._held.pop(key, None)
        return result

    def _undo(self, verb: Verb, result: Any) -> None:
        if isinstance(result, Claim):  # the task that requested it was cancelled
            self._submit(Verb.ABANDON if result.maybe_sent else Verb.RELEASE, result.key)

    async def _renew_claims(self) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            now, held = timer(), {key: until for key, until in self._held.items() if until}
            with suppress(JournalError):  # the next renewal may succeed; otherwise `check` fails
                renewals = [self._submit(Verb.RENEW, key) for key in held]
                results = await asyncio.gather(*renewals)
                for (key, until), is_ours in zip(held.items(), results, strict=True):
                    if self._held.get(key) == until:  # neither ended nor claimed again meanwhile
                        self._held[key] = now + self._lease if is_ours else _NO_LEASE_LEFT

    async def _execute_all(
        self, connection: AsyncConnection, writes: PendingWrites[Verb], repeated: bool
    ) -> Results[Verb]:
        """Carry out writes; a retry returns the results that the first attempt would have had.

        - CLAIM: claims of the first attempt are found by their owner, which is this session.
        - FINISH: so are the final states that the first attempt has stored.
        - RELEASE, ABANDON and RENEW are idempotent.
        """
        results: Results[Verb] = {}
        for verb in Verb:
            requested = writes.get(verb, ())
            if not requested:
                continue
            # Always in the same order: transactions that lock the same rows must not deadlock.
            rows = sorted((write.row for write in requested), key=lambda row: str(row["id"]))
            if verb is Verb.CLAIM:
                results[verb] = await self._claim_all(connection, rows, repeated)
            elif verb is Verb.FINISH:
                results[verb] = await self._finish_all(connection, rows, repeated)
            else:
                found = {row.key for row in await self._execute(connection, verb, rows)}
                results[verb] = {row["id"]: row["id"] in found for row in rows}
        return results

    async def _claim_all(
        self, connection: AsyncConnection, rows: Rows, repeated: bool
    ) -> dict[str, Any]:
        claimed: dict[str, Any] = {}
        if repeated:
            claimed |= await self._claim_again(connection, rows)
        for row in await self._execute(connection, Verb.CLAIM, _without(rows, claimed)):
            claimed[row.key] = _claim(row)
        if repeated:  # again: the insertion may have waited for the first transaction
            claimed |= await self._claim_again(connection, _without(rows, claimed))
        left = _without(rows, claimed)
        return claimed | await self._read_unclaimed(connection, left) if left else claimed

    async def _claim_again(self, connection: AsyncConnection, rows: Rows) -> dict[str, Claim]:
        """Renew and return those claims that this session has already."""
        return {row.key: _claim(row) for row in await self._execute(connection, Verb.RENEW, rows)}

    async def _finish_all(
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
        """Execute the statement of a verb for rows, and return its rows."""
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

    async def _read_unclaimed(self, connection: AsyncConnection, rows: Rows) -> dict[str, Claimed]:
        """Return the state of requests that could not be claimed."""
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


def _without(rows: Rows, results: Mapping[str, Any]) -> Rows:
    return [row for row in rows if row["id"] not in results]


def timer() -> float:
    """Return monotonic seconds that include the time for which the machine is suspended.

    Leases need this instead of a `Clock`: the database's clock goes on while this machine is
    suspended, and `time.monotonic` does not, so that an expired lease would seem to hold.
    """
    return _timer()


_timer: Callable[[], float] = time.monotonic
if hasattr(time, "CLOCK_BOOTTIME"):

    def _timer() -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)


def record_in(row: Any, *, is_own: bool = False) -> Record:
    """Return the record in a row."""
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
