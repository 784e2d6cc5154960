"""Webhooks: who gets them, what they carry, and how often they are sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sandbox.scenarios import LATE
from sandbox.test_shapes import assert_fits
from sandbox.wire import PAID, Clock, Wire, new_product

import catalogue
from tiktok_shop_async.sandbox import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    TokenRules,
    create_app,
    demo_market,
    run_sandbox,
)
from tiktok_shop_async.sandbox.domain.aftersales.eligibility import Selection
from tiktok_shop_async.sandbox.webhook_delivery import sign

WEBHOOKS = "/event/202309/webhooks"
HOOK = "http://app.example/hook"


class Receiver:
    """An app's end: answers with what it was told to, then with 200."""

    def __init__(self, *answers: int | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(request.content) for request in self.requests]


def wire_to(
    receive: Callable[[httpx.Request], httpx.Response],
    *,
    url: str | None = None,
    waits: list[float] | None = None,
    **options: Any,
) -> Wire:
    clock = Clock()
    market = demo_market(orders=200, seed=1, clock=clock, **{"pending_share": 0.0, **options})

    async def sleep(seconds: float) -> None:
        if waits is None:
            await asyncio.Event().wait()
        else:
            waits.append(seconds)

    app = create_app(
        market=market,
        clock=clock,
        webhook_url=url,
        webhook_sleep=sleep,
        webhook_time_scale=0.5,
        webhook_transport=httpx.MockTransport(receive),
    )
    wire = Wire(app, clock)
    wire.webhooks = app.state.webhooks  # type: ignore[attr-defined]
    return wire


def test_the_published_delivery_has_its_published_signature() -> None:
    body = (
        b'{"type":1,"tts_notification_id":"7380066284010030890","shop_id":"7495540735365777507",'
        b'"timestamp":1718305585,"data":{"is_on_hold_order":true,"order_id":"576653688135258178",'
        b'"order_status":"UNPAID","update_time":1718305585}}'
    )
    expected = "5dec0f11ec2f6783b8deee53c9ffbf8d024302f7c7e7fa55a35d17629031ac05"
    assert sign("abcdef", "123", body) == expected


async def test_notifications_of_sandboxes_with_the_same_fixed_clock_have_their_own_ids() -> None:
    """A receiver that keeps ids would drop those of a sandbox that was started again."""
    receiver = Receiver()
    for _ in range(3):
        wire: Any = wire_to(receiver, url=HOOK)
        for _ in range(3):
            wire.webhooks.fire(1)
        await wire.webhooks.drain()
    ids = [body["tts_notification_id"] for body in receiver.bodies]
    assert len(set(ids)) == 9
    assert all(len(each) == 19 and int(each) < 2**63 for each in ids)


async def test_a_subscriber_hears_of_a_cancelled_order() -> None:
    receiver = Receiver()
    wire: Any = wire_to(receiver)
    body = {"event_type": "ORDER_STATUS_CHANGE", "address": HOOK}
    assert (await wire.call("PUT", WEBHOOKS, json=body))["code"] == 0
    listed = (await wire.call("GET", WEBHOOKS))["data"]
    assert (listed["total_count"], listed["webhooks"][0]["address"]) == (1, HOOK)
    first, second = wire.order_ids("AWAITING_SHIPMENT")[:2]
    await wire.cancel(first)
    await wire.webhooks.drain()
    (request,), (delivered,) = receiver.requests, receiver.bodies
    assert delivered["data"]["order_id"] == first
    assert delivered["data"]["order_status"] == "CANCEL"
    assert delivered["shop_id"] == wire.shop.id
    assert request.headers["authorization"] == sign(DEMO_APP_KEY, DEMO_APP_SECRET, request.content)
    await wire.call("DELETE", WEBHOOKS, json={"event_type": "ORDER_STATUS_CHANGE"})
    await wire.cancel(second)
    await wire.webhooks.drain()
    assert len(receiver.requests) == 1


async def test_a_pending_cancellation_is_announced_twice() -> None:
    receiver = Receiver()
    wire: Any = wire_to(receiver, url=HOOK, pending_share=1.0)
    await wire.cancel(wire.order_ids("AWAITING_SHIPMENT")[0])
    wire.clock.now += 5
    wire.shop.ledger.settle()
    await wire.webhooks.drain()
    statuses = [
        body["data"].get("cancel_status") or body["data"]["order_status"]
        for body in receiver.bodies
    ]
    pending, success = "CANCELLATION_REQUEST_PENDING", "CANCELLATION_REQUEST_SUCCESS"
    assert statuses == [pending, success, "CANCEL"]


async def test_a_delivery_is_repeated_with_its_id_by_the_schedule_and_given_up() -> None:
    waits: list[float] = []
    receiver = Receiver(500, httpx.ConnectError("no"), 204, TimeoutError(), 401)
    wire: Any = wire_to(receiver, url=HOOK, waits=waits)
    (delivery,) = wire.webhooks.fire(1)
    await wire.webhooks.drain(retries=True)
    assert waits == [60, 900, 5400, 21600]
    assert len({body["tts_notification_id"] for body in receiver.bodies}) == 1
    assert (delivery.state, len(delivery.attempts)) == ("given up", 5)
    assert "ConnectError" in delivery.attempts[1].error


async def test_draining_waits_for_no_retry_and_closing_cancels_it() -> None:
    wire: Any = wire_to(Receiver(500), url=HOOK)
    (delivery,) = wire.webhooks.fire("ORDER_STATUS_CHANGE")
    await wire.webhooks.drain()
    assert delivery.state == "waiting"
    await wire.webhooks.aclose()
    assert delivery.state == "cancelled"


async def test_every_webhook_can_be_fired_by_hand() -> None:
    receiver = Receiver()
    wire: Any = wire_to(receiver, url=HOOK)
    shapes = json.loads((catalogue.ROOT / "webhooks.json").read_text())["webhooks"]
    for shape in shapes:
        answer = await wire.http.post("/_sandbox/events", json={"type": shape["type"]})
        assert answer.status_code == 200
    await wire.webhooks.drain()
    by_type = {body["type"]: body for body in receiver.bodies}
    assert len(by_type) == 44
    for shape in shapes:
        body = by_type[shape["type"]]
        assert body.keys() == {*shape["envelope"], "tts_notification_id", "data"}
        assert body["data"].keys() == shape["data"].keys()
    log = (await wire.http.get("/_sandbox/events")).json()["deliveries"]
    assert {each["state"] for each in log} == {"delivered"}


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"type":2}', b'{"type":1,"data":[]}', b'{"data":{}}']
)
async def test_an_event_that_cannot_be_fired_is_refused(content: bytes) -> None:
    wire: Any = wire_to(Receiver())
    headers = {"content-type": "application/json"}
    answer = await wire.http.post("/_sandbox/events", content=content, headers=headers)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    plain = await wire.http.post("/_sandbox/events", content=b'{"type":1}')
    assert plain.status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        {"event_type": "NOTHING", "address": HOOK},
        {"event_type": "NEW_MESSAGE", "address": "hook"},
        {"event_type": "NEW_MESSAGE", "address": "http://[x"},
        {"event_type": "NEW_MESSAGE", "address": "http://receiver.example/\nhook"},
        {"event_type": "NEW_MESSAGE", "address": HOOK + "x" * 255},
    ],
)
async def test_a_faulty_subscription_is_refused(body: dict[str, str]) -> None:
    wire: Any = wire_to(Receiver())
    assert (await wire.call("PUT", WEBHOOKS, json=body))["code"] == 36009004


async def test_a_withdrawn_authorization_is_announced_by_each_shop() -> None:
    receiver = Receiver()
    wire: Any = wire_to(receiver, url=HOOK)
    wire.market.revoke(DEMO_ACCESS_TOKEN)
    await wire.webhooks.drain()
    assert [body["type"] for body in receiver.bodies] == [6, 6]


async def test_what_changes_is_told_once_in_the_shape_of_the_catalogue() -> None:
    """Products, packages, orders, cancellations and returns: a change, an event."""
    receiver = Receiver()
    wire: Any = wire_to(receiver, url=HOOK)
    shapes = json.loads((catalogue.ROOT / "webhooks.json").read_text())["webhooks"]
    fields = {shape["type"]: shape["data"] for shape in shapes}

    async def told() -> list[Any]:
        await wire.webhooks.drain()
        bodies, receiver.requests = receiver.bodies, []
        for body in bodies:
            node = {"type": "object", "fields": fields[body["type"]]}
            assert_fits(body["data"], node, "", str(body["type"]))
        return [(body["type"], body["data"]) for body in bodies]

    async def types() -> list[int]:
        return [kind for kind, _ in await told()]

    products, draft = "/product/202309/products", {"save_mode": "AS_DRAFT"}
    created = await wire.call("POST", products, json={**new_product(wire.shop), **draft})
    product_id = created["data"]["product_id"]
    assert [(kind, data["product_id"]) for kind, data in await told()] == [(16, int(product_id))]
    path = f"/product/202509/products/{product_id}"
    await wire.call("POST", f"{path}/partial_edit", json={"title": "Another", **draft})
    assert await types() == []
    await wire.call("POST", f"{path}/partial_edit", json={})
    assert await types() == [5]
    change = {"category_id": "600002", "main_images": [{"uri": "sandbox/other"}]}
    await wire.call("PUT", path, json={**new_product(wire.shop), **change})
    (_, category), (_, pictures) = await told()
    assert (category["previous_category_id"], category["current_category_id"]) == (
        "600001",
        "600002",
    )
    assert pictures["changed_fields"] == ["main_images"]
    for _ in range(2):
        await wire.call("POST", f"{products}/deactivate", json={"product_ids": [product_id]})
    assert await types() == [5]

    shop = wire.shop
    order = shop.orders[wire.order_ids("AWAITING_SHIPMENT", lines=3)[0]]
    first, *rest = [line.id for line in order.lines]
    for _ in range(2):
        shop.create_package(order.id, [first])
    ((kind, split),) = await told()
    assert (kind, split["sc_type"]) == (4, "SPLIT")
    assert {each["package_id"] for each in split["package_list"]} == {
        package.id for package in order.packages
    }
    shop.create_package(order.id)
    ((kind, joined),) = await told()
    assert (kind, joined["sc_type"], len(joined["package_list"])) == (4, "CANCEL_SPLIT", 1)
    shop.cancel(order.id, PAID, Selection(rest))
    assert await types() == [11]
    shop.ship(order.id)
    assert await types() == [1]
    shop.request_return(order.id, LATE)
    assert await types() == [12]


DAY = 86400


async def test_the_end_of_an_authorization_is_told_daily_from_thirty_days_before() -> None:
    """By each of its shops, to its app; a refresh puts it off."""
    receiver = Receiver()
    rules = TokenRules(refresh_token_seconds=40 * DAY)
    wire: Any = wire_to(receiver, url=HOOK, token_rules=rules)
    grants, grant = wire.market.grants, next(iter(wire.market.grants._refreshable.values()))

    async def days_told(days: float) -> list[tuple[int, str]]:
        wire.clock.now += days * DAY
        wire.market.settle(wire.clock())
        await wire.webhooks.drain()
        bodies, receiver.requests = receiver.bodies, []
        return [(body["type"], body["data"].get("expiration_time", "")) for body in bodies]

    def only(kind: int, told: list[tuple[int, str]]) -> list[str]:
        return [end for each, end in told if each == kind]

    assert only(7, await days_told(365)) == []  # the demo's own does not end
    code = grants.open_code(grant.pair.grant, wire.clock())
    pair = grants.exchange(DEMO_APP_KEY, code, wire.clock())
    end = str(int(wire.clock()) + 40 * DAY)
    assert only(7, await days_told(9.9)) == []
    assert only(7, await days_told(0.1)) == [end] * 2
    assert only(7, await days_told(0.9)) == []
    assert only(7, await days_told(0.1)) == [end] * 2
    assert only(7, await days_told(7)) == [end] * 2
    pair = grants.refresh(DEMO_APP_KEY, pair.refresh_token, wire.clock())
    later = str(int(wire.clock()) + 40 * DAY)
    assert only(7, await days_told(9)) == []
    for _ in range(30):
        assert only(7, await days_told(1)) == [later] * 2
    assert only(7, await days_told(1)) == []  # it has ended


def test_what_is_fired_without_a_loop_is_sent_by_drain() -> None:
    receiver = Receiver()
    wire: Any = wire_to(receiver, url=HOOK)
    wire.webhooks.fire(1, {"order_id": "7"})
    asyncio.run(wire.webhooks.drain())
    assert receiver.bodies[0]["data"] == {"order_id": "7"}


async def test_deliveries_arrive_over_real_http() -> None:
    """From a sandbox on a port; the receiver is a server of its own."""
    heard = asyncio.Event()

    async def receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        heard.set()

    async with await asyncio.start_server(receive, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        async with run_sandbox(orders=1, webhook_url=f"http://127.0.0.1:{port}/hook") as sandbox:
            (delivery,) = sandbox.fire(1)
            await sandbox.webhooks.drain()
            assert heard.is_set()
            assert delivery.state == "delivered"
