"""Rate limits and the hourly quota: per app, shop and class of endpoint, on the sandbox's time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from helpers.sandbox.wire import CANCEL, NOW, ORDERS, PAID, SEARCH_ORDERS, SHOPS, Wire, new_wire

from tiktok_shop_async.pipeline.admission.limiter import endpoint_class
from tiktok_shop_async.registry import operations
from tiktok_shop_async.sandbox import (
    DEMO_SHOP_CIPHER,
    EndpointClass,
    Limits,
    LimitSettings,
    Rate,
)


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = new_wire(pending_share=0.0)
    async with wire.http:
        yield wire


def limit(wire: Wire, **settings: Any) -> None:
    wire.app.state.limits.set(LimitSettings(**settings))


async def codes(wire: Wire, calls: int, method: str = "GET", path: str = SHOPS) -> list[int]:
    query = {} if path == SHOPS else {"shop_cipher": DEMO_SHOP_CIPHER, "ids": "1"}
    return [(await wire.send(method, path, query=query)).json()["code"] for _ in range(calls)]


async def test_nothing_is_limited_by_default(wire: Wire) -> None:
    assert set(await codes(wire, 50)) == {0}


async def test_a_burst_goes_through_then_so_many_a_second(wire: Wire) -> None:
    limit(wire, rates={"light_read": Rate(2, burst=3)})
    assert await codes(wire, 5) == [0, 0, 0, 36009002, 36009002]
    wire.clock.now += 0.5
    assert await codes(wire, 2) == [0, 36009002]
    wire.clock.now += 100
    assert await codes(wire, 4) == [0, 0, 0, 36009002]
    wire.clock.now -= 50
    assert await codes(wire, 1) == [36009002]


async def test_each_class_and_each_shop_has_its_own(wire: Wire) -> None:
    limit(wire, rates={"light_read": Rate(1), "write": Rate(1)})
    assert await codes(wire, 2) == [0, 36009002]
    assert await codes(wire, 2, path=ORDERS) == [0, 36009002], "a call of a shop, not of the app"
    body = {"order_id": "1", "cancel_reason": PAID}
    answers = [await wire.call("POST", CANCEL, json=body) for _ in range(2)]
    assert answers[0]["code"] != 36009002
    assert answers[1]["code"] == 36009002
    search = [await wire.call("POST", SEARCH_ORDERS, query={"page_size": 1}) for _ in range(3)]
    assert {answer["code"] for answer in search} == {0}


async def test_a_throttled_call_is_not_processed(wire: Wire) -> None:
    limit(wire, rates={"write": Rate(0.1)})
    first, second = wire.order_ids("AWAITING_SHIPMENT")[:2]
    assert (await wire.cancel(first))["code"] == 0
    assert (await wire.cancel(second))["code"] == 36009002
    assert not wire.shop.orders[second].cancellations


@pytest.mark.parametrize("form", [None, "seconds", "date"])
async def test_a_throttled_client_is_told_when_to_come_back(wire: Wire, form: str | None) -> None:
    limit(wire, rates={"light_read": Rate(0.1)}, retry_after=form)
    await codes(wire, 1)
    response = await wire.send("GET", SHOPS)
    assert response.status_code == 429
    value = response.headers.get("retry-after")
    if form == "date":
        assert parsedate_to_datetime(value).timestamp() == NOW + 10
    else:
        assert value == (None if form is None else "10")


async def test_the_hourly_quota_ends_with_the_hour(wire: Wire) -> None:
    """Refused calls do not count, so that one that was waited for goes through."""
    limit(wire, hourly_quota=2)
    assert await codes(wire, 4) == [0, 0, 36009037, 36009037]
    wire.clock.now += 3600 - NOW % 3600 - 1
    assert await codes(wire, 1) == [36009037]
    wire.clock.now += 1
    assert await codes(wire, 3) == [0, 0, 36009037]


async def test_faults_do_not_count_what_a_limit_refused(wire: Wire) -> None:
    limit(wire, hourly_quota=1)
    fault = wire.app.state.faults.add("null_data")
    await codes(wire, 3)
    assert fault.seen == 1


async def test_limits_of_the_beginning_come_back() -> None:
    limits = Limits(LimitSettings(hourly_quota=1))
    wire = new_wire(orders=1, application={"limits": limits})
    async with wire.http:
        assert await codes(wire, 2) == [0, 36009037]
        limit(wire)
        assert await codes(wire, 2) == [0, 0]
        limits.reset()
        assert await codes(wire, 2) == [0, 36009037]


def test_the_classes_are_told_apart() -> None:
    classes = {
        operation.id: endpoint_class(operation)
        for group in ("order", "return_refund", "product")
        for operation in operations(group)
    }
    assert classes["order.get_order_detail"] is EndpointClass.LIGHT_READ
    assert classes["order.get_order_list"] is EndpointClass.READ
    assert classes["return_refund.cancel_order"] is EndpointClass.WRITE
    assert classes["product.upload_product_image"] is EndpointClass.HEAVY_WRITE


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ([], "JSON object"),
        ({"rates": []}, "JSON object"),
        ({"rates": {"write": 3}}, "rates.write must be a JSON object"),
        ({"rates": {"write": {}}}, "per_second"),
        ({"rates": {"write": {"per_second": 0}}}, "per_second"),
        ({"rates": {"write": {"per_second": 1, "burst": 0}}}, "burst"),
        ({"rates": {"chat": {"per_second": 1}}}, "chat"),
        ({"hourly_quota": 0}, "hourly_quota"),
        ({"retry_after": "weeks"}, "retry_after"),
        ({"speed": 3}, "speed"),
    ],
)
def test_limits_that_make_no_sense_are_refused(document: Any, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        LimitSettings.from_json(document)


def test_limits_survive_json() -> None:
    settings = LimitSettings(
        rates={EndpointClass.WRITE: Rate(2, burst=5)}, hourly_quota=100, retry_after="date"
    )
    assert LimitSettings.from_json(settings.as_json()) == settings
