"""The order of the events of one object, in a database.

An event of an object is stored as blocked. It is unblocked, so that it can be claimed, when no
other event of its object waits. At READ COMMITTED, two transactions do not see each other's rows.
So each transaction that adds or ends events of an object locks the object's row first: it locks all
rows of objects that it needs, in sorted order, before it locks anything else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Insert, TextClause, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ..._storage.sql.group_commit import PendingWrite, PendingWrites
from ..._storage.sql.server_clock import NOW
from .base import NewEvent
from .sql_statements import NAME_PAIRS, NAMES, Statements, Verb, as_names
from .sql_tables import BLOCKED, WAITING, Tables

Positions = dict[str, int]
"""The next position of an event in each locked object."""


class ObjectOrder:
    """The statements that keep the events of one object in order."""

    def __init__(self, tables: Tables, statements: Statements, dialect: str) -> None:
        """Prepare the statements."""
        self._tables = tables
        self._now, self._given = NOW[dialect], NAMES[dialect]
        self._pairs = NAME_PAIRS[dialect]
        self._prepare_queues(statements)
        self._prepare_states()

    def _prepare_queues(self, statements: Statements) -> None:
        now, given, pairs = self._now, self._given, self._pairs
        events, objects = self._tables.main.name, self._tables.objects.name
        self._replayed: TextClause = text(
            f"SELECT DISTINCT object FROM {events}"
            f" WHERE object IS NOT NULL AND {statements.selected}"
        )
        self._lock: TextClause = text(
            f"INSERT INTO {objects} AS at (name, position, touched_at)"
            f" SELECT given.key, CAST(given.value AS integer), {now} FROM {pairs} AS given"
            " WHERE true ORDER BY given.key ON CONFLICT (name) DO UPDATE"
            " SET position = at.position + excluded.position, touched_at = excluded.touched_at"
            " RETURNING name, position"
        )
        self._insert: Insert = statements.insert.values(
            state=BLOCKED,
            object=bindparam("object_key"),
            position=bindparam("object_position"),
            reported_state=bindparam("state_key"),
            changed_at=bindparam("state_time"),
        )
        first = (
            f"SELECT id FROM {events} AS each WHERE each.object = given.value"
            f" AND each.state = '{BLOCKED}' ORDER BY each.position LIMIT 1"
        )
        busy = (
            f"SELECT 1 FROM {events} AS each WHERE each.object = given.value"
            f" AND each.state = '{WAITING}'"
        )
        self._unblock: TextClause = text(
            f"UPDATE {events} SET state = '{WAITING}', due = {now} WHERE id IN"
            f" (SELECT ({first}) FROM ({given}) AS given WHERE NOT EXISTS ({busy}))"
        )

    def _prepare_states(self) -> None:
        now, given, pairs = self._now, self._given, self._pairs
        events, states = self._tables.main.name, self._tables.states.name
        self._finish: TextClause = text(
            f"DELETE FROM {events} WHERE id IN (SELECT given.value FROM {pairs} AS given)"
            f" AND claim || ' ' || id IN (SELECT given.key FROM {pairs} AS given)"
            f" AND state = '{WAITING}' RETURNING reported_state, changed_at"
        )
        self._remember_state: TextClause = text(
            f"INSERT INTO {states} AS at (name, changed_at, handled_at)"
            f" VALUES (:name, :changed_at, {now}) ON CONFLICT (name) DO UPDATE"
            " SET handled_at = excluded.handled_at, changed_at = CASE"
            " WHEN excluded.changed_at > at.changed_at THEN excluded.changed_at"
            " ELSE at.changed_at END"
        )
        self._states: TextClause = text(
            f"SELECT name, changed_at FROM {states} WHERE name IN ({given})"
        )

    async def lock(self, connection: AsyncConnection, writes: PendingWrites[Verb]) -> Positions:
        """Lock all objects whose events are added, ended, replayed or unblocked."""
        added = Counter(write.row["new"].object_key for write in writes.get(Verb.ADD, ()))
        needed = added + Counter()
        for verb in (Verb.FINISH_IN_ORDER, Verb.DEAD_LETTER):
            needed.update({write.row["object"]: 0 for write in writes.get(verb, ())})
        for write in writes.get(Verb.UNBLOCK, ()):
            needed.update(dict.fromkeys(write.row["objects"], 0))
        for write in writes.get(Verb.REPLAY, ()):
            rows = await connection.execute(self._replayed, write.row["values"])
            needed.update({row.object: 0 for row in rows})
        needed.pop(None, None)
        if not needed:
            return {}
        rows = await connection.execute(self._lock, _as_pairs(needed))
        return {row.name: row.position - added[row.name] for row in rows}

    async def insert(
        self,
        connection: AsyncConnection,
        events: Sequence[tuple[NewEvent, dict[str, Any]]],
        positions: Positions,
    ) -> None:
        """Insert events after the earlier ones of their objects."""
        rows = []
        for event, row in events:
            object_key = event.object_key
            assert object_key is not None
            state_key = event.state_key
            rows.append(
                row
                | {
                    "object_key": object_key,
                    "object_position": positions[object_key],
                    "state_key": state_key,
                    "state_time": event.changed_at if state_key else None,
                }
            )
            positions[object_key] += 1
        await connection.execute(self._insert, rows)

    async def finish(
        self, connection: AsyncConnection, writes: Sequence[PendingWrite[Verb]]
    ) -> None:
        """Delete handled events whose claim is valid, and remember their states."""
        # By claim and event: this process may have claimed an event twice, and finish both here.
        pairs = {
            f"{write.row['claim']} {write.row['event']}": write.row["event"] for write in writes
        }
        rows = await connection.execute(self._finish, _as_pairs(pairs))
        states = sorted((row.reported_state, row.changed_at) for row in rows if row.reported_state)
        if states:
            values = [{"name": name, "changed_at": changed_at} for name, changed_at in states]
            await connection.execute(self._remember_state, values)

    async def unblock(self, connection: AsyncConnection, objects: Iterable[str]) -> None:
        """Unblock the first event of each object, unless another one waits."""
        await connection.execute(self._unblock, as_names(objects))

    async def latest_changes(
        self, connection: AsyncConnection, states: Collection[str]
    ) -> dict[str, int]:
        """Return the time of the latest handled change of each state."""
        if not states:
            return {}
        rows = await connection.execute(self._states, as_names(states))
        return {row.name: row.changed_at for row in rows}


def _as_pairs(values: dict[str, Any]) -> dict[str, str]:
    return {"names": json.dumps(values, sort_keys=True)}
