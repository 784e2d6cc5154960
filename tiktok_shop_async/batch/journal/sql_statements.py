"""What `SQLJournal` says to a database: many rows at once, as one JSON array, so the texts stay."""

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
"""State of a row that is not final."""


class Verb(StrEnum):
    """What can be asked of the journal; in one transaction, in this order."""

    FINISH = "finish"
    RELEASE = "release"
    LET_GO = "abandon"
    RENEW = "renew"
    CLAIM = "claim"


class Tables:
    """The tables as the newest version has them."""

    def __init__(self, name: str) -> None:
        self.metadata = MetaData()
        self.main = Table(
            name,
            self.metadata,
            # The key first: SQLite would think a batch alone selective enough, and read all of it.
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

_FACTS = "request_id, code, message, hint, attempts, details"
_TYPES = {"code": "bigint", "attempts": "integer"}


class Statements:
    """The statements for one table, in the words of SQLite or PostgreSQL."""

    def __init__(self, table: str, dialect: str) -> None:
        self._dialect = dialect
        now, cast = NOW[dialect], "CAST(:lease AS double precision)"
        keys = f"key IN (SELECT {self._field('id')} FROM {self._rows('id')})"
        ours = f"batch = :batch AND owner = :owner AND state = '{SENDING}'"
        facts = _FACTS.split(", ")
        self.of: dict[Verb, TextClause] = {
            Verb.CLAIM: text(
                f"INSERT INTO {table} AS journal (batch, key, state, owner, lease_until, claims,"
                " first_claimed_at, updated_at, idempotency_key)"
                f" SELECT :batch, {self._field('id')}, '{SENDING}', :owner, {now} + {cast}, 1,"
                f" {now}, {now}, {self._field('idempotency_key')}"
                f" FROM {self._rows('id', 'idempotency_key')} WHERE true"
                " ON CONFLICT (batch, key) DO UPDATE SET owner = excluded.owner,"
                " lease_until = excluded.lease_until, claims = journal.claims + 1,"
                " updated_at = excluded.updated_at"
                f" WHERE journal.state = '{SENDING}' AND journal.lease_until <= {now}"
                " RETURNING key, claims, first_claimed_at, idempotency_key"
            ),
            Verb.FINISH: text(
                f"UPDATE {table} AS journal SET state = {self._field('state')},"
                f" {', '.join(f'{name} = {self._field(name)}' for name in facts)},"
                f" updated_at = {now}"
                f" FROM {self._rows('id', 'state', *facts)}"
                f" WHERE journal.key = {self._field('id')} AND {_of_journal(ours)}"
                " RETURNING key"
            ),
            Verb.RELEASE: text(f"DELETE FROM {table} WHERE {ours} AND {keys}"),
            # Nobody's from then on: the RENEW of a late beat must not make it ours again.
            Verb.LET_GO: text(
                f"UPDATE {table} SET owner = '', lease_until = 0 WHERE {ours} AND {keys}"
            ),
            Verb.RENEW: text(
                f"UPDATE {table} SET lease_until = {now} + {cast} WHERE {ours} AND {keys}"
                " RETURNING key, claims, first_claimed_at, idempotency_key"
            ),
        }
        self.read = text(
            f"SELECT key, state, owner, lease_until - {now} AS seconds_left, {_FACTS}"
            f" FROM {table} WHERE batch = :batch AND {keys}"
        )
        self.read_on = text(
            f"SELECT key, state, owner, {_FACTS} FROM {table}"
            f" WHERE batch = :batch AND key > :after AND state <> '{SENDING}'"
            " ORDER BY key LIMIT :most"
        )
        self.count = text(
            f"SELECT state, count(*) AS rows FROM {table} WHERE batch = :batch GROUP BY state"
        )

    def _rows(self, *names: str) -> str:
        """Return what gives the rows of ``:rows``."""
        if self._dialect == "sqlite":
            return "json_each(:rows) AS given"
        columns = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in names)
        return f"json_to_recordset(CAST(:rows AS json)) AS given({columns})"

    def _field(self, name: str) -> str:
        """Return what gives a field of such a row."""
        if self._dialect == "sqlite":
            return f"json_extract(given.value, '$.{name}')"
        return f"given.{name}"


def _of_journal(condition: str) -> str:
    return " AND ".join(f"journal.{part}" for part in condition.split(" AND "))
