"""The order of the events of one object, in a database.

An event of an object is stored as blocked. It begins to wait, so that it can be claimed, when no
other event of its object does. At READ COMMITTED two transactions do not see each other's rows, so
each that adds or ends events of an object locks the object's row first: all rows that it needs, in
sorted order, before it locks anything else.
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
from .sql_statements import BLOCKED, GIVEN, PAIRS, WAITING, Statements, Tables, Verb, as_names

Positions = dict[str, int]
"""The next position of an event in each object that is locked."""


class ObjectOrder:
    """Puts the events of one object in order, in transactions of the store."""

    def __init__(self, tables: Tables, statements: Statements, dialect: str) -> None:
        """Prepare the statements."""
        now, given, pairs = NOW[dialect], GIVEN[dialect], PAIRS[dialect]
        events, objects, states = tables.main.name, tables.objects.name, tables.states.name
        self._replayed: TextClause = text(
            f"SELECT DISTINCT object FROM {events} WHERE object IS NOT NULL AND {statements.these}"
        )
        self._lock: TextClause = text(
            f"INSERT INTO {objects} AS at (name, position, touched_at)"
            f" SELECT given.key, CAST(given.value AS integer), {now} FROM {pairs} AS given"
            " WHERE true ORDER BY given.key ON CONFLICT (name) DO UPDATE"
            " SET position = at.position + excluded.position, touched_at = excluded.touched_at"
            " RETURNING name, position"
        )
        self._keep: Insert = statements.keep.values(
            state=BLOCKED,
            object=bindparam("about"),
            position=bindparam("place"),
            reported_state=bindparam("reports"),
            changed_at=bindparam("changed"),
        )
        first = (
            f"SELECT id FROM {events} AS each WHERE each.object = given.value"
            f" AND each.state = '{BLOCKED}' ORDER BY each.position LIMIT 1"
        )
        busy = (
            f"SELECT 1 FROM {events} AS each WHERE each.object = given.value"
            f" AND each.state = '{WAITING}'"
        )
        self._begin_turns: TextClause = text(
            f"UPDATE {events} SET state = '{WAITING}', due = {now} WHERE id IN"
            f" (SELECT ({first}) FROM ({given}) AS given WHERE NOT EXISTS ({busy}))"
        )
        self._finish: TextClause = text(
            f"DELETE FROM {events} WHERE id IN (SELECT given.value FROM {pairs} AS given)"
            f" AND claim || ' ' || id IN (SELECT given.key FROM {pairs} AS given)"
            f" AND state = '{WAITING}' RETURNING reported_state, changed_at"
        )
        self._note_state: TextClause = text(
            f"INSERT INTO {states} AS at (name, changed_at, handled_at)"
            f" VALUES (:name, :changed_at, {now}) ON CONFLICT (name) DO UPDATE"
            " SET handled_at = excluded.handled_at, changed_at = CASE"
            " WHEN excluded.changed_at > at.changed_at THEN excluded.changed_at"
            " ELSE at.changed_at END"
        )
        self._states: TextClause = text(
            f"SELECT name, changed_at FROM {states} WHERE name IN ({given})"
        )

    async def lock(self, connection: AsyncConnection, wishes: PendingWrites[Verb]) -> Positions:
        """Lock all objects whose events are added, end, are replayed or have to begin a turn."""
        added = Counter(wish.row["new"].object_key for wish in wishes.get(Verb.ADD, ()))
        needed = added + Counter()
        for verb in (Verb.FINISH_IN_ORDER, Verb.DEAD_LETTER):
            needed.update({wish.row["object"]: 0 for wish in wishes.get(verb, ())})
        for wish in wishes.get(Verb.BEGIN_TURNS, ()):
            needed.update(dict.fromkeys(wish.row["objects"], 0))
        for wish in wishes.get(Verb.REPLAY, ()):
            rows = await connection.execute(self._replayed, wish.row["values"])
            needed.update({row.object: 0 for row in rows})
        needed.pop(None, None)
        if not needed:
            return {}
        rows = await connection.execute(self._lock, _as_pairs(needed))
        return {row.name: row.position - added[row.name] for row in rows}

    async def keep(
        self,
        connection: AsyncConnection,
        events: Sequence[tuple[NewEvent, dict[str, Any]]],
        positions: Positions,
    ) -> None:
        """Insert events behind those of their objects."""
        rows = []
        for event, row in events:
            about = event.object_key
            assert about is not None
            reports = event.state_key
            rows.append(
                row
                | {
                    "about": about,
                    "place": positions[about],
                    "reports": reports,
                    "changed": event.changed_at if reports else None,
                }
            )
            positions[about] += 1
        await connection.execute(self._keep, rows)

    async def finish(
        self, connection: AsyncConnection, asked: Sequence[PendingWrite[Verb]]
    ) -> None:
        """Delete events that were handled by those who have them, and note their states."""
        # By claim and event: this process may have claimed an event twice, and finish both here.
        pairs = {f"{wish.row['claim']} {wish.row['event']}": wish.row["event"] for wish in asked}
        rows = await connection.execute(self._finish, _as_pairs(pairs))
        states = sorted((row.reported_state, row.changed_at) for row in rows if row.reported_state)
        if states:
            values = [{"name": name, "changed_at": changed_at} for name, changed_at in states]
            await connection.execute(self._note_state, values)

    async def begin_turns(self, connection: AsyncConnection, objects: Iterable[str]) -> None:
        """Let the first event of each object wait, unless another one does."""
        await connection.execute(self._begin_turns, as_names(objects))

    async def newest(self, connection: AsyncConnection, states: Collection[str]) -> dict[str, int]:
        """Return when the latest change that was handled of each state had happened."""
        if not states:
            return {}
        rows = await connection.execute(self._states, as_names(states))
        return {row.name: row.changed_at for row in rows}


def _as_pairs(values: dict[str, Any]) -> dict[str, str]:
    return {"names": json.dumps(values, sort_keys=True)}
