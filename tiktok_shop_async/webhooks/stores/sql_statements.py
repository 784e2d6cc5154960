"""The tables and statements of `SQLWebhookStore`, for SQLite or PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Index,
    Insert,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TextClause,
    bindparam,
    insert,
    text,
)

from ..._storage.sql.schema import Step, add_column, version_table
from ..._storage.sql.server_clock import NOW

WAITING, BLOCKED, DEAD = "waiting", "blocked", "dead"
"""States of an event; a blocked one waits for an earlier event of its object."""


class Verb(StrEnum):
    """The kinds of writes, in their order in a transaction."""

    ADD = "add"
    FINISH = "finish"
    FINISH_IN_ORDER = "finish_in_order"
    """Remove a handled event that has an object."""
    PUT_BACK = "put_back"
    DEAD_LETTER = "dead_letter"
    RENEW = "renew"
    REPLAY = "replay"
    UNBLOCK = "unblock"
    """Unblock objects whose events are all blocked, because the first was deleted from outside."""
    CLAIM = "claim"
    RUN = "run"
    """Execute a statement and return its rows."""
    RUN_ONCE = "run_once"
    """The same, for a statement that must not be retried: its rows would be missing."""


class Tables:
    """The tables in their newest version.

    The ``id`` of an event is its key. ``event_id`` is null if the key is the event's own id, as in
    version 1, where ids and names were not scoped to an app.
    """

    def __init__(self, prefix: str) -> None:
        self.metadata = MetaData()
        self.main = Table(
            f"{prefix}events",
            self.metadata,
            Column("id", Text, primary_key=True),
            Column("state", Text, nullable=False),
            Column("due", Double, nullable=False),
            Column("attempts", Integer, nullable=False),
            Column("claim", Text, nullable=False),
            Column("received_at", Double, nullable=False),
            Column("body", LargeBinary, nullable=False),
            Column("app_key", Text),
            Column("error", Text),
            Column("died_at", Double),
            Column("event_id", Text),
            Column("object", Text),
            Column("position", BigInteger),
            Column("reported_state", Text),
            Column("changed_at", BigInteger),
        )
        waiting = text(f"state = '{WAITING}'")
        Index(f"{prefix}due", self.main.c.due, sqlite_where=waiting, postgresql_where=waiting)
        dead = text(f"state = '{DEAD}'")
        Index(f"{prefix}dead", self.main.c.died_at, sqlite_where=dead, postgresql_where=dead)
        in_order = text("object IS NOT NULL")
        self.in_order = Index(
            f"{prefix}in_order",
            self.main.c.object,
            self.main.c.state,
            self.main.c.position,
            sqlite_where=in_order,
            postgresql_where=in_order,
        )
        self.objects = Table(
            f"{prefix}objects",
            self.metadata,
            Column("name", Text, primary_key=True),
            Column("position", BigInteger, nullable=False),
            Column("touched_at", Double, nullable=False, index=True),
        )
        self.states = Table(
            f"{prefix}states",
            self.metadata,
            Column("name", Text, primary_key=True),
            Column("changed_at", BigInteger, nullable=False),
            Column("handled_at", Double, nullable=False, index=True),
        )
        self.names = Table(
            f"{prefix}names",
            self.metadata,
            Column("name", Text, primary_key=True),
            Column("remembered_at", Double, nullable=False, index=True),
        )
        self.cursors = Table(
            f"{prefix}cursors",
            self.metadata,
            Column("name", Text, primary_key=True),
            Column("position", BigInteger, nullable=False),
        )
        self.schema = version_table(f"{prefix}schema", self.metadata)


def _create_tables(connection: Connection, tables: Tables) -> None:
    created = [tables.main, tables.names, tables.cursors]
    tables.metadata.create_all(connection, tables=created)


def _add_event_ids(connection: Connection, tables: Tables) -> None:
    add_column(connection, tables.main.c.event_id)


def _add_order(connection: Connection, tables: Tables) -> None:
    for name in ("object", "position", "reported_state", "changed_at"):
        add_column(connection, tables.main.c[name])
    tables.in_order.create(connection, checkfirst=True)
    tables.metadata.create_all(connection, tables=[tables.objects, tables.states])


STEPS: Sequence[Step[Tables]] = (_create_tables, _add_event_ids, _add_order)

NAMES = {
    "sqlite": "SELECT value FROM json_each(:names)",
    "postgresql": "SELECT value FROM json_array_elements_text(CAST(:names AS json))",
}
"""The rows of ``:names``, a JSON array of text."""
NAME_PAIRS = {
    "sqlite": "json_each(:names)",
    "postgresql": "json_each_text(CAST(:names AS json))",
}
"""The rows of ``:names``, a JSON object of text."""
_SKIP_LOCKED = {"sqlite": "", "postgresql": " FOR UPDATE SKIP LOCKED"}
_CLAIMED = "id, event_id, body, app_key, attempts, received_at, object, reported_state, changed_at"
_SECONDS = "CAST(:seconds AS double precision)"


class Statements:
    """The statements for tables of one prefix."""

    def __init__(self, tables: Tables, dialect: str) -> None:
        now, given = NOW[dialect], NAMES[dialect]
        events, names, cursors = tables.main.name, tables.names.name, tables.cursors.name
        held = f"id = :event AND claim = :claim AND state = '{WAITING}'"
        dead, not_dead = f"state = '{DEAD}'", f"state <> '{DEAD}'"
        # Events that were dead-lettered after the objects were locked are not replayed.
        locked = given.replace(":names", ":objects")
        self.selected = selected = f"{dead} AND (:all OR id IN ({given}))"
        self.now: TextClause = text(f"SELECT {now}")
        # Sorted, so that two transactions that insert the same names never wait for each other.
        self.remember: TextClause = text(
            f"INSERT INTO {names} (name, remembered_at)"
            f" SELECT given.key, {now} FROM {NAME_PAIRS[dialect]} AS given"
            f" WHERE (SELECT 1 FROM {names} AS unscoped WHERE unscoped.name = given.value) IS NULL"
            " ORDER BY given.key ON CONFLICT (name) DO NOTHING RETURNING name"
        )
        self.release: TextClause = text(f"DELETE FROM {names} WHERE name IN ({given})")
        self.insert: Insert = insert(tables.main).values(
            id=bindparam("event"),
            event_id=bindparam("own_id"),
            state=WAITING,
            due=bindparam("moment"),
            attempts=0,
            claim="",
            received_at=bindparam("moment"),
            body=bindparam("bytes"),
            app_key=bindparam("app"),
        )
        self.claim: TextClause = text(
            f"UPDATE {events} SET attempts = attempts + 1, claim = :claim, due = {now} + {_SECONDS}"
            f" WHERE id IN (SELECT id FROM {events} WHERE state = '{WAITING}' AND due <= {now}"
            f" ORDER BY due LIMIT :limit{_SKIP_LOCKED[dialect]})"
            f" RETURNING {_CLAIMED}"
        )
        self.claimed_before: TextClause = text(
            f"UPDATE {events} SET due = {now} + {_SECONDS}"
            f" WHERE claim = :claim AND state = '{WAITING}'"
            f" RETURNING {_CLAIMED}"
        )
        self.of: dict[Verb, TextClause] = {
            Verb.FINISH: text(f"DELETE FROM {events} WHERE id = :event"),
            Verb.PUT_BACK: text(
                f"UPDATE {events} SET due = {now} + {_SECONDS}, claim = '',"
                " attempts = attempts - CAST(:uncounted AS integer),"
                f" error = coalesce(CAST(:error AS text), error) WHERE {held}"
            ),
            Verb.DEAD_LETTER: text(
                f"UPDATE {events} SET state = '{DEAD}', error = :error, died_at = {now}, claim = ''"
                f" WHERE {held}"
            ),
            Verb.RENEW: text(f"UPDATE {events} SET due = {now} + {_SECONDS} WHERE {held}"),
        }
        self.waiting: TextClause = text(
            "SELECT id, event_id, body, app_key, attempts, error, received_at, due,"
            f" claim <> '' AND due > {now} AS is_being_handled"
            f" FROM {events} WHERE {not_dead} AND id > :id ORDER BY id LIMIT :limit"
        )
        self.outstanding: TextClause = text(
            f"SELECT id FROM {events} WHERE {not_dead} AND received_at <= :moment LIMIT :limit"
        )
        self.dead: TextClause = text(
            "SELECT id, event_id, body, app_key, attempts, error, received_at, died_at"
            f" FROM {events} WHERE {dead} AND (died_at, id) > (:died_at, :id)"
            " ORDER BY died_at, id LIMIT :limit"
        )
        self.replay: TextClause = text(
            f"UPDATE {events} SET due = {now}, attempts = 0, error = NULL, died_at = NULL,"
            f" state = CASE WHEN object IS NULL THEN '{WAITING}' ELSE '{BLOCKED}' END"
            f" WHERE {selected} AND (object IS NULL OR object IN ({locked})) RETURNING id"
        )
        self.stalled: TextClause = text(
            f"SELECT DISTINCT object FROM {events} AS each WHERE object IS NOT NULL"
            f" AND state = '{BLOCKED}' AND NOT EXISTS (SELECT 1 FROM {events} AS first"
            f" WHERE first.object = each.object AND first.state = '{WAITING}') LIMIT :limit"
        )
        self.discard: TextClause = text(f"DELETE FROM {events} WHERE {selected} RETURNING id")
        self.counts: TextClause = text(
            f"SELECT state, count(*) AS rows FROM {events} GROUP BY state"
        )
        self.forget: TextClause = text(
            f"DELETE FROM {names} WHERE name IN (SELECT name FROM {names}"
            f" WHERE remembered_at < {now} - {_SECONDS}"
            f" AND NOT EXISTS (SELECT 1 FROM {events} WHERE id = name) LIMIT :limit)"
            " RETURNING name"
        )
        old = f"< {now} - {_SECONDS}"
        self.forget_objects: TextClause = text(
            f"DELETE FROM {tables.objects.name} WHERE touched_at {old} AND name IN"
            f" (SELECT name FROM {tables.objects.name} WHERE touched_at {old}"
            f" AND NOT EXISTS (SELECT 1 FROM {events} WHERE object = name) LIMIT :limit)"
            " RETURNING name"
        )
        self.forget_states: TextClause = text(
            f"DELETE FROM {tables.states.name} WHERE handled_at {old} AND name IN"
            f" (SELECT name FROM {tables.states.name} WHERE handled_at {old} LIMIT :limit)"
            " RETURNING name"
        )
        self.cursor: TextClause = text(f"SELECT position FROM {cursors} WHERE name = :name")
        newer = "excluded.position > at.position"
        self.move_cursor: TextClause = text(
            f"INSERT INTO {cursors} AS at (name, position) VALUES (:name, :position)"
            f" ON CONFLICT (name) DO UPDATE SET position = excluded.position WHERE {newer}"
            " RETURNING position"
        )


def as_names(names: Iterable[str]) -> dict[str, str]:
    """Return names as a parameter of the statements."""
    return {"names": as_array(names)}


def as_array(names: Iterable[str]) -> str:
    """Return names as a JSON array."""
    return json.dumps(sorted(names))
