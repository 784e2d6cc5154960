"""Tables with a version, and how a database comes to have the newest."""

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
    """The tables as the newest version has them; ``metadata`` holds these and no others."""

    metadata: MetaData
    schema: Table
    """Keeps the version."""

    @property
    def main(self) -> Table:
        """The table that is named in errors."""
        ...


T = TypeVar("T", bound=VersionedTables)

Step: TypeAlias = Callable[[Connection, T], None]
"""Leads from one version to the next; a step that was released never changes."""


def version_table(name: str, metadata: MetaData) -> Table:
    """Return the table that keeps a version, in its one row."""
    return Table(
        name,
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("version", Integer, nullable=False),
    )


def add_column(connection: Connection, column: Column[Any]) -> None:
    """Add a nullable column to a table, unless the table was created with it."""
    table = column.table.name
    if column.name not in {each["name"] for each in inspect(connection).get_columns(table)}:
        kind = column.type.compile(connection.dialect)
        connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {column.name} {kind}"))


class Schema(Generic[T]):
    """Knows which version a database has, and brings it to the newest."""

    def __init__(self, tables: T, steps: Sequence[Step[T]], error: type[TikTokShopError]) -> None:
        self.tables = tables
        self._steps = steps
        self._error = error

    def is_current(self, connection: Connection) -> bool:
        """Tell whether nothing is to be done; an error if the database is newer."""
        return self._version(connection) == len(self._steps)

    def check(self, connection: Connection) -> None:
        """Raise an error if the tables are not those of this release.

        Tables without a version were made by another tool, and are taken as they are.
        """
        version = self._version(connection)
        if version is None and inspect(connection).has_table(self.tables.main.name):
            return
        if version != len(self._steps):
            raise self._error(
                f"the database has no table {self.tables.main.name}."
                if version is None
                else f"the table {self.tables.main.name} is that of an earlier release.",
                hint="Call create_schema() once, where you deploy.",
            )

    def migrate(self, connection: Connection) -> None:
        """Take the steps that are missing; nobody else may do so at the same time."""
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
            raise self._error(
                f"the tables {self.tables.main.name} and so on have version {version}, "
                f"and this release reads version {len(self._steps)}.",
                hint="A newer release of tiktok-shop-async made them: run that one everywhere.",
            )
        return version
