"""The tables of `SQLTokenStore`, and how a database comes to have them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

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
)

from ..._storage.sql.schema import version_table

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
        self.schema = version_table(f"{prefix}schema", self.metadata)

    @property
    def main(self) -> Table:
        """The table that is named in errors."""
        return self.tokens


def _create_tables(connection: Connection, tables: Tables) -> None:
    tables.metadata.create_all(connection, tables=[tables.tokens, tables.locks])


STEPS: Sequence[Callable[[Connection, Tables], None]] = (_create_tables,)
"""What leads from no table to the newest version; a step that was released never changes."""


def row_id(key: str) -> str:
    """Return the primary key of a token's or lock's row."""
    return hashlib.sha256(key.encode()).hexdigest()
