"""A transaction of `SQLWebhookStore` with the writes of many tasks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ..._storage.sql.group_commit import PendingWrite, PendingWrites, Results
from ..._storage.sql.text import storable
from .base import ClaimedEvent, NewEvent, key_of, to_datetime
from .sql_order import ObjectOrder, Positions
from .sql_statements import Statements, Verb, as_array, as_names

Writes = Sequence[PendingWrite[Verb]]
RowsById = dict[str, Any]
"""The results of the writes of one verb by the ``id`` of their rows."""


class Transaction:
    """A transaction; all verbs but REPLAY and RUN_ONCE may be retried after a lost response.

    - ADD: an event that the first attempt added is found to be known; it is stored.
    - CLAIM: events that the first attempt claimed are found by their claim.
    - The other verbs change nothing more in a second attempt.
    """

    def __init__(self, statements: Statements, order: ObjectOrder) -> None:
        self._statements = statements
        self._order = order

    async def __call__(
        self, connection: AsyncConnection, writes: PendingWrites[Verb], repeated: bool
    ) -> Results[Verb]:
        """Execute writes, in the order of their verbs."""
        results: Results[Verb] = {verb: {} for verb in writes}
        positions = await self._order.lock(connection, writes)
        for verb in Verb:
            if verb is Verb.CLAIM and positions:
                await self._order.unblock(connection, positions)
            of_verb = writes.get(verb, ())
            if not of_verb or verb is Verb.UNBLOCK:  # all locked objects are unblocked above
                continue
            if verb is Verb.ADD:
                results[verb] = await self._add(connection, of_verb, positions)
            elif verb is Verb.FINISH_IN_ORDER:
                await self._order.finish(connection, of_verb)
            elif verb is Verb.CLAIM:
                for write in of_verb:
                    claimed = await self._claim(connection, write.row, repeated)
                    results[verb][write.row["id"]] = claimed
            elif verb in {Verb.REPLAY, Verb.RUN, Verb.RUN_ONCE}:
                locked = {"objects": as_array(positions)} if verb is Verb.REPLAY else {}
                results[verb] = await _run(connection, of_verb, locked)
            else:
                await self._update(connection, verb, of_verb)
        return results

    async def _update(self, connection: AsyncConnection, verb: Verb, writes: Writes) -> None:
        """Execute one statement for the events of many writes."""
        # In the same order everywhere, so that two transactions never wait for each other's rows.
        values = sorted((dict(write.row) for write in writes), key=lambda row: row["event"])
        for row in values:
            del row["id"]
            row.pop("object", None)
        await connection.execute(self._statements.of[verb], values)

    async def _add(
        self, connection: AsyncConnection, writes: Writes, positions: Positions
    ) -> RowsById:
        """Insert the events that are new; return for each whether it is.

        All names are inserted before any is checked, also those in ``unless``: another transaction
        that adds an event with one of them has to wait for this one.
        """
        names = _names_of(write.row["new"] for write in writes)
        rows = await connection.execute(self._statements.remember, {"names": json.dumps(names)})
        inserted = {row.name for row in rows}
        known = names.keys() - inserted
        results: RowsById = {}
        new_events: list[NewEvent] = []
        for write in writes:  # of equal events in one transaction, only the first is new
            event: NewEvent = write.row["new"]
            is_new = known.isdisjoint({event.key, *event.keys_of(event.unless)})
            results[write.row["id"]] = is_new
            if is_new:
                new_events.append(event)
                known |= {event.key, *event.keys_of(event.aliases)}
        if not_remembered := inserted - known:
            await connection.execute(self._statements.release, as_names(not_remembered))
        if new_events:
            await self._insert(connection, new_events, positions)
        return results

    async def _insert(
        self, connection: AsyncConnection, events: Sequence[NewEvent], positions: Positions
    ) -> None:
        now = (await connection.execute(self._statements.now)).scalar_one()
        rows: list[dict[str, Any]] = []
        in_order: list[tuple[NewEvent, dict[str, Any]]] = []
        for event in events:
            row = {
                "event": event.key,
                "own_id": event.id,
                "moment": now,
                "bytes": event.body,
                "app": event.app_key,
            }
            if event.object is None:
                rows.append(row)
            else:
                in_order.append((event, row))
        if rows:
            await connection.execute(self._statements.insert, rows)
        if in_order:
            await self._order.insert(connection, in_order, positions)

    async def _claim(
        self, connection: AsyncConnection, row: Any, repeated: bool
    ) -> list[ClaimedEvent]:
        values = {name: row[name] for name in ("limit", "seconds", "claim")}
        rows: Sequence[Any] = ()
        if repeated:
            before = {name: row[name] for name in ("seconds", "claim")}
            rows = (await connection.execute(self._statements.claimed_before, before)).all()
        if not rows:
            rows = (await connection.execute(self._statements.claim, values)).all()
        states = {each.reported_state for each in rows if each.reported_state}
        latest = await self._order.latest_changes(connection, states)
        claimed = [_claimed_event(each, row["claim"], latest) for each in rows]
        return sorted(claimed, key=lambda event: event.received_at)


async def _run(connection: AsyncConnection, writes: Writes, further: dict[str, str]) -> RowsById:
    """Execute the statement of each write; return their rows."""
    results: RowsById = {}
    for write in writes:
        rows = await connection.execute(write.row["statement"], write.row["values"] | further)
        results[write.row["id"]] = list(rows)
    return results


def _claimed_event(row: Any, claim: str, latest: dict[str, int]) -> ClaimedEvent:
    state = row.reported_state
    return ClaimedEvent(
        key=row.id,
        id=row.id if row.event_id is None else row.event_id,
        body=bytes(row.body),
        app_key=row.app_key,
        attempt=row.attempts,
        received_at=to_datetime(row.received_at),
        claim=claim,
        object=row.object,
        is_outdated=state in latest and row.changed_at < latest[state],
    )


def _names_of(events: Iterable[NewEvent]) -> dict[str, str]:
    """Return the names of events by key: version 1 of the tables has names without an app."""
    return {
        key_of(name, event.app_key): storable(name)
        for event in events
        for name in (event.id, *event.aliases, *event.unless)
    }
