"""What `SQLWebhookStore` says to a database, in the words of SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
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

from ..._sql.clock import NOW
from ..._sql.schema import Step, add_column, version_table

WAITING, DEAD = "waiting", "dead"


class Verb(StrEnum):
    """What can be asked of the store; in one transaction, in this order."""

    ADD = "add"
    FINISH = "finish"
    PUT_BACK = "put_back"
    BURY = "bury"
    RENEW = "renew"
    CLAIM = "claim"
    RUN = "run"
    """Any statement of those below, whose rows are the answer."""
    RUN_ONCE = "run_once"
    """The same, where a repetition would return fewer rows than were changed."""


class Tables:
    """The tables as the newest version has them.

    ``id`` of an event is its key. ``event_id`` is null where the key is the event's own id, as in
    version 1, which kept ids and names for all apps together.
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
        )
        waiting = text(f"state = '{WAITING}'")
        Index(f"{prefix}due", self.main.c.due, sqlite_where=waiting, postgresql_where=waiting)
        dead = text(f"state = '{DEAD}'")
        Index(f"{prefix}dead", self.main.c.died_at, sqlite_where=dead, postgresql_where=dead)
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
    made = [tables.main, tables.names, tables.cursors]
    tables.metadata.create_all(connection, tables=made)


def _add_event_ids(connection: Connection, tables: Tables) -> None:
    add_column(connection, tables.main.c.event_id)


STEPS: Sequence[Step[Tables]] = (_create_tables, _add_event_ids)

_GIVEN = {
    "sqlite": "SELECT value FROM json_each(:names)",
    "postgresql": "SELECT value FROM json_array_elements_text(CAST(:names AS json))",
}
"""The rows of ``:names``, a JSON array of text."""
_PAIRS = {
    "sqlite": "json_each(:names)",
    "postgresql": "json_each_text(CAST(:names AS json))",
}
"""The rows of ``:names``, a JSON object of text."""
_SKIP_LOCKED = {"sqlite": "", "postgresql": " FOR UPDATE SKIP LOCKED"}
_SECONDS = "CAST(:seconds AS double precision)"


class Statements:
    """The statements for tables of one prefix."""

    def __init__(self, tables: Tables, dialect: str) -> None:
        now, given = NOW[dialect], _GIVEN[dialect]
        events, names, cursors = tables.main.name, tables.names.name, tables.cursors.name
        held = f"id = :event AND claim = :claim AND state = '{WAITING}'"
        dead = f"state = '{DEAD}'"
        these = f"{dead} AND (:all OR id IN ({given}))"
        self.now: TextClause = text(f"SELECT {now}")
        # Sorted: of two transactions that insert the same names one waits for the other, and they
        # must not wait for each other.
        self.remember: TextClause = text(
            f"INSERT INTO {names} (name, remembered_at)"
            f" SELECT given.key, {now} FROM {_PAIRS[dialect]} AS given"
            f" WHERE (SELECT 1 FROM {names} AS unscoped WHERE unscoped.name = given.value) IS NULL"
            " ORDER BY given.key ON CONFLICT (name) DO NOTHING RETURNING name"
        )
        self.release: TextClause = text(f"DELETE FROM {names} WHERE name IN ({given})")
        self.keep: Insert = insert(tables.main).values(
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
            f" ORDER BY due LIMIT :most{_SKIP_LOCKED[dialect]})"
            " RETURNING id, event_id, body, app_key, attempts, received_at"
        )
        self.claimed_before: TextClause = text(
            f"UPDATE {events} SET due = {now} + {_SECONDS}"
            f" WHERE claim = :claim AND state = '{WAITING}'"
            " RETURNING id, event_id, body, app_key, attempts, received_at"
        )
        self.of: dict[Verb, TextClause] = {
            Verb.FINISH: text(f"DELETE FROM {events} WHERE id = :event"),
            Verb.PUT_BACK: text(
                f"UPDATE {events} SET due = {now} + {_SECONDS}, claim = '',"
                f" attempts = attempts - CAST(:uncounted AS integer) WHERE {held}"
            ),
            Verb.BURY: text(
                f"UPDATE {events} SET state = '{DEAD}', error = :error, died_at = {now}, claim = ''"
                f" WHERE {held}"
            ),
            Verb.RENEW: text(f"UPDATE {events} SET due = {now} + {_SECONDS} WHERE {held}"),
        }
        self.dead: TextClause = text(
            "SELECT id, event_id, body, app_key, attempts, error, received_at, died_at"
            f" FROM {events} WHERE {dead} AND (died_at, id) > (:died_at, :id)"
            " ORDER BY died_at, id LIMIT :most"
        )
        self.replay: TextClause = text(
            f"UPDATE {events} SET state = '{WAITING}', due = {now}, attempts = 0, error = NULL,"
            f" died_at = NULL WHERE {these} RETURNING id"
        )
        self.discard: TextClause = text(f"DELETE FROM {events} WHERE {these} RETURNING id")
        self.counts: TextClause = text(
            f"SELECT state, count(*) AS rows FROM {events} GROUP BY state"
        )
        self.forget: TextClause = text(
            f"DELETE FROM {names} WHERE name IN (SELECT name FROM {names}"
            f" WHERE remembered_at < {now} - {_SECONDS}"
            f" AND NOT EXISTS (SELECT 1 FROM {events} WHERE id = name) LIMIT :most)"
            " RETURNING name"
        )
        self.cursor: TextClause = text(f"SELECT position FROM {cursors} WHERE name = :name")
        newer = "excluded.position > at.position"
        self.move_cursor: TextClause = text(
            f"INSERT INTO {cursors} AS at (name, position) VALUES (:name, :position)"
            f" ON CONFLICT (name) DO UPDATE SET position = excluded.position WHERE {newer}"
            " RETURNING position"
        )
