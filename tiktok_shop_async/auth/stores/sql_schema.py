"""The tables of `SQLTokenStore` and their migration."""

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

MAX_BYTES = 2**24 - 1
"""The maximum size of a value; the default of MySQL is 64 KB."""


class _Hidden(bytes):
    """Bytes with a repr without content: SQLAlchemy logs and quotes parameters and rows."""

    def __repr__(self) -> str:
        return "<hidden>"


class SecretBinary(TypeDecorator[bytes]):
    """Bytes that never appear in logs and errors, whatever the engine logs."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """Hide a value that is written."""
        return None if value is None else _Hidden(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        """Hide a value that is read."""
        return None if value is None else _Hidden(value)


class Tables:
    """The tables of the newest version; ``metadata`` contains no others."""

    def __init__(self, prefix: str) -> None:
        self.metadata = MetaData()
        self.tokens = Table(
            f"{prefix}tokens",
            self.metadata,
            # A digest: databases differ in the length of keys and in the meaning of case.
            Column("id", String(64), primary_key=True),
            Column("name", Text, nullable=False),
            Column("value", SecretBinary(MAX_BYTES), nullable=False),
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
"""The steps from no tables to the newest version; a released step never changes."""


def row_id(key: str) -> str:
    """Return the primary key of a token's or lock's row."""
    return hashlib.sha256(key.encode()).hexdigest()
