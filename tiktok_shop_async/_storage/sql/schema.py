"""Versioned tables and their migration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    Table,
    insert,
    inspect,
    select,
    text,
    update,
)

from ...errors import TikTokShopError


class VersionedTables(Protocol):
    """The tables of the newest version; ``metadata`` contains no others."""

    metadata: MetaData
    schema: Table
    """The table that stores the version."""

    @property
    def main(self) -> Table:
        """The table that is named in errors."""
        ...


T = TypeVar("T", bound=VersionedTables)

Step: TypeAlias = Callable[[Connection, T], None]
"""Migrates from one version to the next; a released step never changes."""


def version_table(name: str, metadata: MetaData) -> Table:
    """Return the table that stores a version in its only row."""
    return Table(
        name,
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("version", Integer, nullable=False),
    )


def add_column(connection: Connection, column: Column[Any]) -> None:
    """Add a nullable column to a table unless it has the column already."""
    table = column.table.name
    if column.name not in {each["name"] for each in inspect(connection).get_columns(table)}:
        kind = column.type.compile(connection.dialect)
        connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {column.name} {kind}"))


class Schema(Generic[T]):
    """The schema of a store: its tables, and the steps that migrate a database to them."""

    def __init__(self, tables: T, steps: Sequence[Step[T]], error: type[TikTokShopError]) -> None:
        self.tables = tables
        self.error = error
        """The class of errors about the database."""
        self._steps = steps

    def is_current(self, connection: Connection) -> bool:
        """Return whether the database has the newest version; raise an error if it is newer."""
        return self._version(connection) == len(self._steps)

    def check(self, connection: Connection) -> None:
        """Raise an error unless the tables have the version of this release.

        Tables without a version were created by another tool and are used as they are.
        """
        version = self._version(connection)
        if version is None and inspect(connection).has_table(self.tables.main.name):
            return
        if version != len(self._steps):
            raise self.error(
                f"the database has no table {self.tables.main.name}."
                if version is None
                else f"the table {self.tables.main.name} is from an earlier release.",
                hint="Call create_schema() once per deployment.",
            )

    def migrate(self, connection: Connection) -> None:
        """Apply the missing steps; the caller makes sure that only one process does so."""
        version = self._version(connection)
        if version is None:
            self.tables.schema.create(connection, checkfirst=True)
        for step in self._steps[version or 0 :]:
            step(connection, self.tables)
        newest = {"id": 1, "version": len(self._steps)}
        if version is None:
            connection.execute(insert(self.tables.schema).values(newest))
        elif version < len(self._steps):
            connection.execute(update(self.tables.schema).values(newest))

    def _version(self, connection: Connection) -> int | None:
        if not inspect(connection).has_table(self.tables.schema.name):
            return None
        version = connection.scalar(select(self.tables.schema.c.version))
        if version is not None and version > len(self._steps):
            raise self.error(
                f"the schema of {self.tables.main.name} has version {version}, "
                f"but this release reads version {len(self._steps)}.",
                hint="A newer release of tiktok-shop-async created it; use that one everywhere.",
            )
        return version


AnySchema: TypeAlias = Schema[Any]
