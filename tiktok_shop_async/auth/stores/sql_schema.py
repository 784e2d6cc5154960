"""The tables of `SQLTokenStore`, and how a database comes to have them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeAlias

from sqlalchemy import (
    Column,
    Connection,
    Dialect,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    insert,
    inspect,
    select,
    update,
)

from ...errors import TokenStoreError

MOST_BYTES = 2**24 - 1
"""Of a value; MySQL's own default would be 64 KB."""


class _Hidden(bytes):
    """Bytes that do not show themselves: SQLAlchemy logs parameters and rows, and quotes them."""

    def __repr__(self) -> str:
        return "<hidden>"


class SecretBinary(TypeDecorator[bytes]):
    """Bytes that stay out of logs and errors, whatever the engine is told to show."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """Hide what is written."""
        return None if value is None else _Hidden(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """Hide what is read."""
        return None if value is None else _Hidden(value)


class Tables:
    """The tables as the newest version has them; ``metadata`` holds these and no others."""

    def __init__(self, prefix: str) -> None:
        self.metadata = MetaData()
        self.tokens = Table(
            f"{prefix}tokens",
            self.metadata,
            # Databases differ in what may be a key: how long, and whether capitals count.
            Column("id", String(64), primary_key=True),
            Column("name", Text, nullable=False),
            Column("value", SecretBinary(MOST_BYTES), nullable=False),
            Column("version", Integer, nullable=False),
        )
        self.locks = Table(
            f"{prefix}locks", self.metadata, Column("id", String(64), primary_key=True)
        )
        self.schema = Table(
            f"{prefix}schema",
            self.metadata,
            Column("id", Integer, primary_key=True, autoincrement=False),
            Column("version", Integer, nullable=False),
        )


Step: TypeAlias = Callable[[Connection, Tables], None]


def _create_tables(connection: Connection, tables: Tables) -> None:
    tables.metadata.create_all(connection, tables=[tables.tokens, tables.locks])


STEPS: Sequence[Step] = (_create_tables,)
"""What leads from no table to the newest version; a step that was released never changes."""


class Schema:
    """Knows which version a database has, and brings it to the newest."""

    def __init__(self, tables: Tables, steps: Sequence[Step] = STEPS) -> None:
        self.tables = tables
        self._steps = steps

    def is_current(self, connection: Connection) -> bool:
        """Tell whether nothing is to be done; `TokenStoreError` if the database is newer."""
        return self._version(connection) == len(self._steps)

    def check(self, connection: Connection) -> None:
        """Raise `TokenStoreError` if the tables are not those of this release.

        Tables without a version were made by another tool, and are taken as they are.
        """
        version = self._version(connection)
        if version is None and inspect(connection).has_table(self.tables.tokens.name):
            return
        if version != len(self._steps):
            raise TokenStoreError(
                f"the database has no table {self.tables.tokens.name}."
                if version is None
                else f"the table {self.tables.tokens.name} is that of an earlier release.",
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
            raise TokenStoreError(
                f"the tables {self.tables.tokens.name} and so on have version {version}, "
                f"and this release reads version {len(self._steps)}.",
                hint="A newer release of tiktok-shop-async made them: run that one everywhere.",
            )
        return version


def row_id(key: str) -> str:
    """Return the primary key of a token's or lock's row."""
    return hashlib.sha256(key.encode()).hexdigest()
