"""The statements of `SQLWebhookStore`, for SQLite or PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import Insert, TextClause, bindparam, insert, text

from ..._storage.sql.server_clock import NOW
from .sql_tables import BLOCKED, DEAD, WAITING, Tables


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
        self._tables = tables
        self._dialect = dialect
        self._events = tables.main.name
        self.selected = f"state = '{DEAD}' AND (:all OR id IN ({NAMES[dialect]}))"
        """The condition for the dead letters of given keys, or for all of them."""
        self.now: TextClause = text(f"SELECT {NOW[dialect]}")
        self._prepare_adding()
        self._prepare_claiming()
        self._prepare_results()
        self._prepare_queries()
        self._prepare_dead_letters()
        self._prepare_forgetting()
        self._prepare_cursors()

    def _prepare_adding(self) -> None:
        now, given, names = NOW[self._dialect], NAMES[self._dialect], self._tables.names.name
        # Sorted, so that two transactions that insert the same names never wait for each other.
        self.remember: TextClause = text(
            f"INSERT INTO {names} (name, remembered_at)"
            f" SELECT given.key, {now} FROM {NAME_PAIRS[self._dialect]} AS given"
            f" WHERE (SELECT 1 FROM {names} AS unscoped WHERE unscoped.name = given.value) IS NULL"
            " ORDER BY given.key ON CONFLICT (name) DO NOTHING RETURNING name"
        )
        self.release: TextClause = text(f"DELETE FROM {names} WHERE name IN ({given})")
        self.insert: Insert = insert(self._tables.main).values(
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

    def _prepare_claiming(self) -> None:
        now, events = NOW[self._dialect], self._events
        self.claim: TextClause = text(
            f"UPDATE {events} SET attempts = attempts + 1, claim = :claim, due = {now} + {_SECONDS}"
            f" WHERE id IN (SELECT id FROM {events} WHERE state = '{WAITING}' AND due <= {now}"
            f" ORDER BY due LIMIT :limit{_SKIP_LOCKED[self._dialect]})"
            f" RETURNING {_CLAIMED}"
        )
        self.claimed_before: TextClause = text(
            f"UPDATE {events} SET due = {now} + {_SECONDS}"
            f" WHERE claim = :claim AND state = '{WAITING}'"
            f" RETURNING {_CLAIMED}"
        )

    def _prepare_results(self) -> None:
        now, events = NOW[self._dialect], self._events
        held = f"id = :event AND claim = :claim AND state = '{WAITING}'"
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

    def _prepare_queries(self) -> None:
        now, events = NOW[self._dialect], self._events
        dead, not_dead = f"state = '{DEAD}'", f"state <> '{DEAD}'"
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
        self.counts: TextClause = text(
            f"SELECT state, count(*) AS rows FROM {events} GROUP BY state"
        )

    def _prepare_dead_letters(self) -> None:
        now, events, selected = NOW[self._dialect], self._events, self.selected
        # Events that were dead-lettered after the objects were locked are not replayed.
        locked = NAMES[self._dialect].replace(":names", ":objects")
        self.replay: TextClause = text(
            f"UPDATE {events} SET due = {now}, attempts = 0, error = NULL, died_at = NULL,"
            f" state = CASE WHEN object IS NULL THEN '{WAITING}' ELSE '{BLOCKED}' END"
            f" WHERE {selected} AND (object IS NULL OR object IN ({locked})) RETURNING id"
        )
        self.discard: TextClause = text(f"DELETE FROM {events} WHERE {selected} RETURNING id")

    def _prepare_forgetting(self) -> None:
        now, events, names = NOW[self._dialect], self._events, self._tables.names.name
        objects, states = self._tables.objects.name, self._tables.states.name
        self.forget: TextClause = text(
            f"DELETE FROM {names} WHERE name IN (SELECT name FROM {names}"
            f" WHERE remembered_at < {now} - {_SECONDS}"
            f" AND NOT EXISTS (SELECT 1 FROM {events} WHERE id = name) LIMIT :limit)"
            " RETURNING name"
        )
        old = f"< {now} - {_SECONDS}"
        self.forget_objects: TextClause = text(
            f"DELETE FROM {objects} WHERE touched_at {old} AND name IN"
            f" (SELECT name FROM {objects} WHERE touched_at {old}"
            f" AND NOT EXISTS (SELECT 1 FROM {events} WHERE object = name) LIMIT :limit)"
            " RETURNING name"
        )
        self.forget_states: TextClause = text(
            f"DELETE FROM {states} WHERE handled_at {old} AND name IN"
            f" (SELECT name FROM {states} WHERE handled_at {old} LIMIT :limit)"
            " RETURNING name"
        )
        self.stalled: TextClause = text(
            f"SELECT DISTINCT object FROM {events} AS each WHERE object IS NOT NULL"
            f" AND state = '{BLOCKED}' AND NOT EXISTS (SELECT 1 FROM {events} AS first"
            f" WHERE first.object = each.object AND first.state = '{WAITING}') LIMIT :limit"
        )

    def _prepare_cursors(self) -> None:
        cursors = self._tables.cursors.name
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
