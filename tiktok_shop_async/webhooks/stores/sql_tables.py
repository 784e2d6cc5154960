"""The tables of `SQLWebhookStore`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    text,
)

from ..._storage.sql.schema import Step, add_column, version_table

WAITING, BLOCKED, DEAD = "waiting", "blocked", "dead"
"""States of an event; a blocked one waits for an earlier event of its object."""


class Tables:
    """The tables in their newest version.

    The ``id`` of an event is its key. ``event_id`` is null if the key is the event's own id, as in
    version 1, where ids and names were not scoped to an app.
    """

    def __init__(self, prefix: str) -> None:
        self.metadata = MetaData()
        self.main = _events(prefix, self.metadata)
        self.in_order = _order_index(prefix, self.main)
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


def _events(prefix: str, metadata: MetaData) -> Table:
    events = Table(
        f"{prefix}events",
        metadata,
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
    Index(f"{prefix}due", events.c.due, sqlite_where=waiting, postgresql_where=waiting)
    dead = text(f"state = '{DEAD}'")
    Index(f"{prefix}dead", events.c.died_at, sqlite_where=dead, postgresql_where=dead)
    return events


def _order_index(prefix: str, events: Table) -> Index:
    in_order = text("object IS NOT NULL")
    return Index(
        f"{prefix}in_order",
        events.c.object,
        events.c.state,
        events.c.position,
        sqlite_where=in_order,
        postgresql_where=in_order,
    )


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
