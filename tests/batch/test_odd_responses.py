"""A journal takes whatever a response says, on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from helpers.auth.databases import postgresql_database
from helpers.client import new_client

from tiktok_shop_async.batch import SQLJournal, run_batch

ODD = {
    "NUL": rb"a\u0000b",
    "half a surrogate pair": rb"\ud83d",
    "no UTF-8": b"\xff",
    "many characters": b"x" * 100_000,
}


@pytest.fixture(params=["sqlite", "postgresql"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SQLJournal]:
    if request.param == "sqlite":
        async with SQLJournal(f"sqlite:///{tmp_path / 'journal.db'}") as journal:
            yield journal
        return
    async with postgresql_database() as url, SQLJournal(url) as journal:
        await journal.create_schema()
        yield journal


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize(
    ("code", "status"), [(b"0", "succeeded"), (b"25001021", "failed"), (b"%d" % 2**64, "unknown")]
)
async def test_outcomes_are_kept_whatever_the_response_says(
    journal: SQLJournal, code: bytes, status: str, odd: bytes
) -> None:
    """Text that a database refuses would take away the outcome, and those of others with it."""
    body = b'{"code":%s,"message":"%s","request_id":"%s","data":{"cancel_id":"%s"}}' % (
        code, odd, odd, odd,
    )  # fmt: skip
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    requests = [{"order_id": str(number), "cancel_reason": "x"} for number in range(3)]
    async with new_client(transport) as client:
        for resumed in (False, True):
            outcomes = [
                outcome
                async for outcome in run_batch(
                    client.return_refund.cancel_order,
                    requests,
                    concurrency=3,
                    key=lambda each: each["order_id"],
                    journal=journal,
                )
            ]
            assert [each.status for each in outcomes] == [status] * 3
            assert {each.resumed for each in outcomes} == {resumed}
