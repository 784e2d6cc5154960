"""The SQL statements of `SQLJournal`; rows are passed as one JSON array of any length."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Integer,
    MetaData,
    Table,
    Text,
    TextClause,
    text,
)

from ..._storage.sql.schema import Step, version_table
from ..._storage.sql.server_clock import NOW

SENDING = "sending"
"""The state of a row that is not final."""


class Verb(StrEnum):
    """The writes of a journal, in the order of a transaction."""

    FINISH = "finish"
    RELEASE = "release"
    ABANDON = "abandon"
    RENEW = "renew"
    CLAIM = "claim"


class Tables:
    """The tables of the newest version."""

    def __init__(self, name: str) -> None:
        self.metadata = MetaData()
        self.main = Table(
            name,
            self.metadata,
            # The key first: otherwise SQLite would search by the batch alone and read all its rows.
            Column("key", Text, primary_key=True),
            Column("batch", Text, primary_key=True),
            Column("state", Text, nullable=False),
            Column("owner", Text, nullable=False),
            Column("lease_until", Double, nullable=False),
            Column("claims", Integer, nullable=False),
            Column("first_claimed_at", Double, nullable=False),
            Column("updated_at", Double, nullable=False),
            Column("idempotency_key", Text),
            Column("request_id", Text),
            Column("code", BigInteger),
            Column("message", Text),
            Column("hint", Text),
            Column("attempts", Integer),
            Column("details", Text),
            sqlite_with_rowid=False,
        )
        self.schema = version_table(f"{name}_schema", self.metadata)


def _create_table(connection: Connection, tables: Tables) -> None:
    tables.metadata.create_all(connection, tables=[tables.main])


STEPS: Sequence[Step[Tables]] = (_create_table,)

_OURS = f"batch = :batch AND owner = :owner AND state = '{SENDING}'"
_LEASE = "CAST(:lease AS double precision)"
_CLAIM = "key, claims, first_claimed_at, idempotency_key"
_FACTS = "request_id, code, message, hint, attempts, details"
_TYPES = {"code": "bigint", "attempts": "integer"}


class Statements:
    """The statements for one table, in the dialect of SQLite or PostgreSQL."""

    def __init__(self, table: str, dialect: str) -> None:
        self._table = table
        self._dialect = dialect
        self._now = NOW[dialect]
        self._keys = f"key IN (SELECT {self._field('id')} FROM {self._rows('id')})"
        ours = f"{_OURS} AND {self._keys}"
        lease = f"{self._now} + {_LEASE}"
        self.of: dict[Verb, TextClause] = {
            Verb.CLAIM: self._claim(lease),
            Verb.FINISH: self._finish(),
            Verb.RELEASE: text(f"DELETE FROM {table} WHERE {ours}"),
            # Without an owner: a late RENEW of this session must not take the claim back.
            Verb.ABANDON: text(f"UPDATE {table} SET owner = '', lease_until = 0 WHERE {ours}"),
            Verb.RENEW: text(
                f"UPDATE {table} SET lease_until = {lease} WHERE {ours} RETURNING {_CLAIM}"
            ),
        }
        self.read = text(
            f"SELECT key, state, owner, lease_until - {self._now} AS seconds_left, {_FACTS}"
            f" FROM {table} WHERE batch = :batch AND {self._keys}"
        )
        self.read_final = text(
            f"SELECT key, state, owner, {_FACTS} FROM {table}"
            f" WHERE batch = :batch AND key > :after AND state <> '{SENDING}'"
            " ORDER BY key LIMIT :limit"
        )
        self.count = text(
            f"SELECT state, count(*) AS rows FROM {table} WHERE batch = :batch GROUP BY state"
        )

    def _claim(self, lease: str) -> TextClause:
        return text(
            f"INSERT INTO {self._table} AS journal (batch, key, state, owner, lease_until, claims,"
            " first_claimed_at, updated_at, idempotency_key)"
            f" SELECT :batch, {self._field('id')}, '{SENDING}', :owner, {lease}, 1,"
            f" {self._now}, {self._now}, {self._field('idempotency_key')}"
            f" FROM {self._rows('id', 'idempotency_key')} WHERE true"
            " ON CONFLICT (batch, key) DO UPDATE SET owner = excluded.owner,"
            " lease_until = excluded.lease_until, claims = journal.claims + 1,"
            " updated_at = excluded.updated_at"
            f" WHERE journal.state = '{SENDING}' AND journal.lease_until <= {self._now}"
            f" RETURNING {_CLAIM}"
        )

    def _finish(self) -> TextClause:
        facts = _FACTS.split(", ")
        return text(
            f"UPDATE {self._table} AS journal SET state = {self._field('state')},"
            f" {', '.join(f'{name} = {self._field(name)}' for name in facts)},"
            f" updated_at = {self._now}"
            f" FROM {self._rows('id', 'state', *facts)}"
            f" WHERE journal.key = {self._field('id')} AND {_of_journal(_OURS)}"
            " RETURNING key"
        )

    def _rows(self, *names: str) -> str:
        """Return the table expression for the rows of ``:rows``."""
        if self._dialect == "sqlite":
            return "json_each(:rows) AS given"
        columns = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in names)
        return f"json_to_recordset(CAST(:rows AS json)) AS given({columns})"

    def _field(self, name: str) -> str:
        """Return the expression for a field of such a row."""
        if self._dialect == "sqlite":
            return f"json_extract(given.value, '$.{name}')"
        return f"given.{name}"


def _of_journal(condition: str) -> str:
    """Return a condition whose columns are qualified by ``journal``."""
    return " AND ".join(f"journal.{part}" for part in condition.split(" AND "))
