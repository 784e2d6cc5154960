"""The table of outcomes, walked in process and over real sockets, by calls and by batches."""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import attrs
import pytest
import trustme
from outcomes.services import WIRE_ONLY, InProcess, OnTheWire, Service, Timers
from outcomes.table import (
    CLASS,
    TABLE,
    Cell,
    End,
    Journal,
    Kind,
    Meanwhile,
    Report,
    Row,
    all_cells,
    cells,
)

from tiktok_shop_async import (
    AccessTokenExpiredError,
    APIResponse,
    AsyncTikTokShop,
    ClientClosedError,
    ConnectError,
    InvalidRequestError,
    LeaseLostError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ReauthorizationRequiredError,
    RequestOptions,
    RequestTimeoutError,
    ResponseDecodeError,
    ServiceUnavailableError,
    TransportError,
)
from tiktok_shop_async.batch import SQLJournal, run_batch
from tiktok_shop_async.pipeline.attempt_end import AttemptEnd

OWN_ERRORS: dict[End, type[Exception]] = {
    End.NOT_CONNECTED: ConnectError,
    End.HANDSHAKE: ConnectError,
    End.PARTLY: TransportError,
    End.NO_RESPONSE: TransportError,
    End.TIMEOUT: RequestTimeoutError,
    End.BROKEN_OFF: TransportError,
    End.DAMAGED: ResponseDecodeError,
    End.GATEWAY: ServiceUnavailableError,
    End.GATEWAY_401: ServiceUnavailableError,
    End.INTERNAL: ServiceUnavailableError,
    End.UNLISTED: ServiceUnavailableError,
    End.REFUSED: InvalidRequestError,
    End.FORBIDDEN: PermissionDeniedError,
    End.EXPIRED: AccessTokenExpiredError,
    End.THROTTLED: RateLimitError,
    End.QUOTA: RateLimitError,
}
RAISED: dict[Meanwhile, type[Exception]] = {
    Meanwhile.REFRESH_FAILED: ReauthorizationRequiredError,
    Meanwhile.CALLBACK_RAISES: ValueError,
    Meanwhile.LEASE_LOST: LeaseLostError,
}
REPORTS: dict[Report, type[object]] = {
    Report.RESPONSE: APIResponse,
    Report.UNKNOWN: OutcomeUnknownError,
    Report.TIMEOUT: RequestTimeoutError,
    Report.CLOSED: ClientClosedError,
    Report.CANCELLED: asyncio.CancelledError,
}


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


OnTheWire.contexts = staticmethod(contexts)


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> Timers:
    return Timers(monkeypatch)


def request_of(cell: Cell) -> dict[str, Any]:
    arguments: dict[Kind, dict[str, Any]] = {
        Kind.READ: {"ids": ["1"]},
        Kind.WRITE: {"order_id": "1", "cancel_reason": "x"},
        Kind.KEYED: {"return_id": "1", "decision": "APPROVE_RETURN"},
    }
    if cell.end is not End.PARTLY:
        return arguments[cell.kind]
    padding = RequestOptions(extra_body={"padding": "x" * 4_000_000})
    return {**arguments[cell.kind], "options": padding}


def method_of(cell: Cell, client: AsyncTikTokShop) -> Callable[..., Awaitable[Any]]:
    methods: dict[Kind, Callable[..., Awaitable[Any]]] = {
        Kind.READ: client.order.get_order_detail,
        Kind.WRITE: client.return_refund.cancel_order,
        Kind.KEYED: client.return_refund.approve_return,
    }
    return methods[cell.kind]


def walked(row: Row, kind: type[Service]) -> list[Cell]:
    """Return the combinations of a row that a kind of service can show."""
    return [cell for cell in cells(row) if kind is OnTheWire or cell.end not in WIRE_ONLY]


def walks(rows: list[Row]) -> pytest.MarkDecorator:
    numbered = product(enumerate(rows), (InProcess, OnTheWire))
    return pytest.mark.parametrize(
        ("row", "service_of"),
        [
            pytest.param(row, kind, id=f"{number}-{kind.__name__}")
            for (number, row), kind in numbered
            if walked(row, kind)
        ],
    )


@walks(TABLE)
async def test_what_a_call_reports(row: Row, service_of: type[Service], timers: Timers) -> None:
    """The report, whether it was sent again, and that the service saw as many requests."""
    for cell in walked(row, service_of):
        service = service_of(cell, timers)
        async with service.client() as client:
            request = request_of(cell)
            request["options"] = attrs.evolve(
                request.get("options", RequestOptions()), before_sending=service.before_sending
            )
            task = asyncio.ensure_future(method_of(cell, client)(**request))
            await service.interrupt(client, task)
            (result,) = await asyncio.gather(task, return_exceptions=True)
        kind = RAISED[cell.meanwhile] if row.report is Report.RAISED else REPORTS.get(row.report)
        assert type(result) is (kind or OWN_ERRORS[cell.end]), f"{cell}: {result!r}"
        assert service.arrived == service.expected_arrivals + row.again, cell
        if cell.meanwhile is not Meanwhile.LEASE_LOST:
            attempts = getattr(result, "attempts", None)
            assert attempts in (len(service.ends) + row.again, None), cell
        if isinstance(result, OutcomeUnknownError):
            assert result.__cause__ is not None, cell
            assert (result.idempotency_key is not None) is (cell.kind is Kind.KEYED), cell
        if isinstance(result, RequestTimeoutError) and cell.kind is not Kind.READ:
            assert not result.maybe_sent, cell


@walks([row for row in TABLE if row.journal is not Journal.OTHERS])
async def test_what_a_journal_holds(
    row: Row, service_of: type[Service], timers: Timers, tmp_path: Path
) -> None:
    """The same by `run_batch`: a later run must neither send twice nor leave out.

    Where another process has the lease, the entry is that process's.
    """
    path = tmp_path / "journal.db"
    async with SQLJournal(f"sqlite:///{path}") as journal:
        for cell in walked(row, service_of):
            service = service_of(cell, timers)
            async with service.client() as client:
                await run_one(cell, service, client, journal)
            assert state_in(path, str(cell)) == row.journal, cell
            assert service.arrived == service.expected_arrivals + row.again, cell


async def run_one(
    cell: Cell, service: Service, client: AsyncTikTokShop, journal: SQLJournal
) -> None:
    batch = run_batch(
        method_of(cell, client),
        [request_of(cell)],
        key=lambda _: str(cell),
        journal=journal,
        drain=0.0,
    )

    async def consume() -> None:
        async for _ in batch:
            pass

    task = asyncio.ensure_future(consume())
    await service.interrupt(client, task)
    await asyncio.gather(task, return_exceptions=True)
    await batch.aclose()


def state_in(path: Path, key: str) -> Journal:
    with sqlite3.connect(path) as connection:
        query = "SELECT state FROM tiktok_shop_journal WHERE key = ?"
        found = connection.execute(query, (key,)).fetchone()
    connection.close()
    if found is None:
        return Journal.RELEASED
    with suppress(ValueError):
        return Journal(found[0])
    return Journal.KEPT


def test_every_combination_has_exactly_one_row() -> None:
    rows: dict[Cell, int] = dict.fromkeys(all_cells(), 0)
    for row in TABLE:
        assert cells(row), f"no combination is left of {row}"
        for cell in cells(row):
            rows[cell] += 1
    assert {str(cell): count for cell, count in rows.items() if count != 1} == {}


def test_every_end_of_an_attempt_that_the_pipeline_knows_has_rows() -> None:
    assert set(CLASS) == set(End)
    assert set(CLASS.values()) == set(AttemptEnd)
    assert {end for row in TABLE for end in row.ends} == set(End)
