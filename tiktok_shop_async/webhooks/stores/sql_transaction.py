"""One transaction of `SQLWebhookStore`, for all who wait."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from ..._storage.sql.group_commit import PendingWrite, PendingWrites, Results
from ..._storage.sql.text import storable
from .base import ClaimedEvent, NewEvent, key_of, moment
from .sql_order import ObjectOrder, Positions
from .sql_statements import Statements, Verb, as_array, as_names


class Transaction:
    """Carries wishes out; all but REPLAY and RUN_ONCE may be repeated after a lost response.

    - ADD: what the first attempt has added counts as known: it is kept, and will be handled.
    - CLAIM: what the first attempt has taken is found by its claim.
    - The others change nothing more when they are repeated.
    """

    def __init__(self, statements: Statements, order: ObjectOrder) -> None:
        self._statements = statements
        self._order = order

    async def __call__(
        self, connection: AsyncConnection, wishes: PendingWrites[Verb], repeated: bool
    ) -> Results[Verb]:
        """Carry wishes out, in the order of their verbs."""
        answers: Results[Verb] = {verb: {} for verb in wishes}
        positions = await self._order.lock(connection, wishes)
        for verb in Verb:
            if verb is Verb.CLAIM and positions:
                await self._order.begin_turns(connection, positions)
            asked = wishes.get(verb, ())
            if not asked or verb is Verb.BEGIN_TURNS:  # which is done for all that are locked
                continue
            if verb is Verb.ADD:
                answers[verb] = await self._add(connection, asked, positions)
            elif verb is Verb.FINISH_IN_ORDER:
                await self._order.finish(connection, asked)
            elif verb is Verb.CLAIM:
                for wish in asked:
                    claimed = await self._claim(connection, wish.row, repeated)
                    answers[verb][wish.row["id"]] = claimed
            elif verb in {Verb.REPLAY, Verb.RUN, Verb.RUN_ONCE}:
                locked = {"objects": as_array(positions)} if verb is Verb.REPLAY else {}
                for wish in asked:
                    rows = await connection.execute(
                        wish.row["statement"], wish.row["values"] | locked
                    )
                    answers[verb][wish.row["id"]] = list(rows)
            else:
                # In one order everywhere: transactions that lock the same rows must not cross.
                values = sorted((dict(wish.row) for wish in asked), key=lambda row: row["event"])
                for row in values:
                    del row["id"]
                    row.pop("object", None)
                await connection.execute(self._statements.of[verb], values)
        return answers

    async def _add(
        self, connection: AsyncConnection, asked: Sequence[PendingWrite[Verb]], positions: Positions
    ) -> dict[str, bool]:
        """Keep the events that are new.

        All names are inserted before any is looked at, those in ``unless`` too: whoever brings an
        event with one of them at the same time has to wait for this transaction.
        """
        names = _names_of(wish.row["new"] for wish in asked)
        rows = await connection.execute(self._statements.remember, {"names": json.dumps(names)})
        inserted = {row.name for row in rows}
        known = names.keys() - inserted
        answers: dict[str, bool] = {}
        kept: list[NewEvent] = []
        for wish in asked:  # of those in one transaction, too, only the first is new
            event: NewEvent = wish.row["new"]
            is_new = known.isdisjoint({event.key, *event.keys_of(event.unless)})
            answers[wish.row["id"]] = is_new
            if is_new:
                kept.append(event)
                known |= {event.key, *event.keys_of(event.aliases)}
        if not_remembered := inserted - known:
            await connection.execute(self._statements.release, as_names(not_remembered))
        if kept:
            await self._keep(connection, kept, positions)
        return answers

    async def _keep(
        self, connection: AsyncConnection, events: Sequence[NewEvent], positions: Positions
    ) -> None:
        now = (await connection.execute(self._statements.now)).scalar_one()
        rows: list[dict[str, Any]] = []
        in_order: list[tuple[NewEvent, dict[str, Any]]] = []
        for event in events:
            row = {
                "event": event.key,
                "own_id": event.id,
                "moment": now,
                "bytes": event.body,
                "app": event.app_key,
            }
            if event.object is None:
                rows.append(row)
            else:
                in_order.append((event, row))
        if rows:
            await connection.execute(self._statements.keep, rows)
        if in_order:
            await self._order.keep(connection, in_order, positions)

    async def _claim(
        self, connection: AsyncConnection, row: Any, repeated: bool
    ) -> list[ClaimedEvent]:
        values = {name: row[name] for name in ("most", "seconds", "claim")}
        rows: Sequence[Any] = ()
        if repeated:
            before = {name: row[name] for name in ("seconds", "claim")}
            rows = (await connection.execute(self._statements.claimed_before, before)).all()
        if not rows:
            rows = (await connection.execute(self._statements.claim, values)).all()
        newest = await self._order.newest(
            connection, {each.reported_state for each in rows if each.reported_state}
        )
        found = [
            ClaimedEvent(
                key=each.id,
                id=each.id if each.event_id is None else each.event_id,
                body=bytes(each.body),
                app_key=each.app_key,
                attempt=each.attempts,
                received_at=moment(each.received_at),
                claim=row["claim"],
                object=each.object,
                is_outdated=each.reported_state in newest
                and each.changed_at < newest[each.reported_state],
            )
            for each in rows
        ]
        return sorted(found, key=lambda event: event.received_at)


def _names_of(events: Iterable[NewEvent]) -> dict[str, str]:
    """Return the names of events: by key, as version 1 of the tables has them for all apps."""
    return {
        key_of(name, event.app_key): storable(name)
        for event in events
        for name in (event.id, *event.aliases, *event.unless)
    }
