"""The control endpoints and the log of requests, at the wire."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import attrs
import httpx
import pytest
from sandbox.wire import CANCEL, NOW, PAID, SHOPS, UPLOAD, Clock, Wire, new_wire

from tiktok_shop_async.sandbox import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_SECRET,
    DEMO_SHOP_CIPHER,
    FaultRule,
    Faults,
    Market,
    Spans,
    create_app,
    run_sandbox,
)

TOOLS = "/_sandbox"
SECRETS = (DEMO_APP_SECRET, DEMO_ACCESS_TOKEN, DEMO_SHOP_CIPHER)


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = new_wire(pending_share=0.0, application={"faults": Faults()})
    async with wire.http:
        yield wire


async def tool(wire: Wire, method: str, path: str, **content: Any) -> httpx.Response:
    return await wire.http.request(method, f"{TOOLS}/{path}", **content)


async def logged(wire: Wire, after: int = 0) -> list[dict[str, Any]]:
    answer = await tool(wire, "GET", f"requests?after={after}")
    assert not [secret for secret in SECRETS if secret in answer.text]
    entries: list[dict[str, Any]] = answer.json()["requests"]
    return entries


# Faults and limits.


async def test_faults_are_switched_on_listed_and_off(wire: Wire) -> None:
    rule = {"kind": "throttled", "operation": "authorization.*", "nth": 1, "retry_after": 2}
    added = await tool(wire, "POST", "faults", json=rule)
    assert added.status_code == 201
    number = added.json()["id"]
    assert (await wire.send("GET", SHOPS)).headers["retry-after"] == "2"
    assert (await wire.send("GET", SHOPS)).status_code == 200
    (shown,) = (await tool(wire, "GET", "faults")).json()["faults"]
    assert rule.items() <= shown.items()
    assert (shown["id"], shown["seen"], shown["struck"]) == (number, 2, 1)
    assert (await tool(wire, "DELETE", f"faults/{number}")).status_code == 204
    assert (await tool(wire, "DELETE", f"faults/{number}")).status_code == 404
    await tool(wire, "POST", "faults", json=rule)
    assert (await tool(wire, "DELETE", "faults")).status_code == 204
    assert (await tool(wire, "GET", "faults")).json() == {"faults": []}


async def test_limits_are_set_shown_and_lifted(wire: Wire) -> None:
    settings = {"rates": {"light_read": {"per_second": 1.0, "burst": 1}}, "hourly_quota": 9}
    answer = await tool(wire, "POST", "limits", json=settings)
    assert answer.json() == {**settings, "retry_after": None}
    assert [(await wire.send("GET", SHOPS)).status_code for _ in range(2)] == [200, 429]
    assert (await tool(wire, "DELETE", "limits")).status_code == 204
    assert (await tool(wire, "GET", "limits")).json()["rates"] == {}
    assert (await wire.send("GET", SHOPS)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "word"),
    [
        ("POST", "faults", {"content": b"{"}, 400, "not valid JSON"),
        ("POST", "faults", {"json": {"kind": "flood"}}, 400, "flood"),
        ("POST", "limits", {"json": {"hourly_quota": -1}}, 400, "hourly_quota"),
        ("POST", "clock", {"json": {"advance": "soon"}}, 400, "advance"),
        ("POST", "clock", {"json": {"advance": True}}, 400, "advance"),
        ("POST", "clock", {"json": [1]}, 400, "advance"),
        ("POST", "clock", {"json": {"advance": 60}}, 409, "cannot be moved"),
        ("GET", "requests?after=x", {}, 400, "after"),
        ("GET", "orders?limit=-1", {}, 400, "limit"),
    ],
)
async def test_what_cannot_be_done_is_explained(
    wire: Wire, method: str, path: str, content: dict[str, Any], status: int, word: str
) -> None:
    answer = await tool(wire, method, path, **content)
    assert answer.status_code == status
    assert word in answer.json()["error"]


async def test_pages_of_other_sites_cannot_work_on_it(wire: Wire) -> None:
    for origin, status in (("http://shop.example", 201), ("https://evil.example", 403)):
        answer = await tool(
            wire, "POST", "faults", json={"kind": "html_page"}, headers={"origin": origin}
        )
        assert answer.status_code == status
    assert len(wire.app.state.faults) == 1


# Orders, time, reset.


async def test_orders_are_shown_with_their_state(wire: Wire) -> None:
    order_id = wire.order_ids("AWAITING_SHIPMENT", lines=2)[0]
    wire.clock.now += 60
    await wire.cancel(order_id)
    shop, _ = (await tool(wire, "GET", "orders?limit=3")).json()["shops"]
    assert sum(shop["by_status"].values()) == 200
    assert len(shop["orders"]) == 3
    newest = shop["orders"][0]
    assert (newest["id"], newest["status"], newest["update_time"]) == (
        order_id,
        "CANCELLED",
        NOW + 60,
    )
    assert newest["cancelled_line_items"] == newest["line_items"] >= 2
    shop, _ = (await tool(wire, "GET", "orders?status=UNPAID")).json()["shops"]
    assert {order["status"] for order in shop["orders"]} == {"UNPAID"}


async def test_a_clock_that_is_moved_moves_all_of_the_sandbox() -> None:
    """A pending cancellation goes through, and a timestamp of before is too old."""
    async with run_sandbox(orders=60, pending_share=1, pending_seconds=3600) as sandbox:
        order = next(o for o in sandbox.shop.orders.values() if o.status == "AWAITING_SHIPMENT")
        sandbox.shop.cancel(order.id, PAID)
        async with httpx.AsyncClient(base_url=sandbox.base_url + TOOLS) as http:
            before = (await http.get("/clock")).json()["now"]
            after = (await http.post("/clock", json={"advance": 3601})).json()["now"]
            assert 3601 <= after - before < 3660
            assert sandbox.shop.orders[order.id].status == "CANCELLED"
            assert (await http.post("/reset")).status_code == 204
            assert (await http.get("/clock")).json()["now"] < before + 60


async def test_what_takes_how_long_is_set_and_stays_so_after_a_reset() -> None:
    """In all shops, behind a port and without one; the short form of a pending's span counts."""
    spans = Spans(hold_seconds=5, payout_seconds=50)
    async with run_sandbox(orders=9, spans=spans, pending_seconds=7) as sandbox:
        expected = attrs.evolve(spans, pending_seconds=7)
        async with httpx.AsyncClient(base_url=sandbox.base_url + TOOLS) as http:
            for _ in range(2):
                assert {shop.spans for shop in sandbox.market.shops.values()} == {expected}
                assert (await http.post("/reset")).status_code == 204
    clock = Clock()
    wire = Wire(create_app(orders=60, spans=spans, clock=clock), clock)
    async with wire.http:
        order = wire.shop.orders[wire.order_ids("UNPAID")[0]]
        wire.shop.pay(order.id)
        wire.clock.now += 4
        assert wire.shop.orders[order.id].status == "ON_HOLD"
        wire.clock.now += 1
        assert wire.shop.orders[order.id].status == "AWAITING_SHIPMENT"
    with pytest.raises(ValueError, match="payout_seconds"):
        Spans(payout_seconds=-1)


async def test_reset_brings_the_beginning_back() -> None:
    """The shop, its rules and counts; the log is empty, and its numbers go on."""
    rule = FaultRule("null_data", nth=1)
    wire = new_wire(pending_share=0.0, application={"faults": Faults([rule])})
    async with wire.http:
        await wire.send("GET", SHOPS)
        order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
        await wire.cancel(order_id)
        wire.app.state.faults.add("html_page")
        assert (await tool(wire, "POST", "reset")).status_code == 204
        assert wire.shop.orders[order_id].status == "AWAITING_SHIPMENT"
        assert [(fault.rule, fault.seen) for fault in wire.app.state.faults] == [(rule, 0)]
        assert await logged(wire) == []
        assert (await wire.send("GET", SHOPS)).json()["data"] is None
        assert (await logged(wire))[0]["number"] == 3


async def test_a_market_made_by_hand_cannot_be_reset() -> None:
    app = create_app(market=Market([], [], []))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
        answer = await http.post(f"{TOOLS}/reset")
    assert answer.status_code == 409
    assert "not made by demo_market" in answer.json()["error"]


# The log.


async def test_the_log_tells_what_was_asked_and_answered(wire: Wire) -> None:
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    await wire.cancel(order_id)
    await wire.cancel(order_id)
    first, second = await logged(wire)
    assert first["method"] == "POST"
    assert first["path"] == CANCEL
    assert first["operation"] == "return_refund.cancel_order"
    assert (first["status"], first["code"], first["processed"]) == (200, 0, True)
    assert first["time"] == NOW
    assert first["milliseconds"] > 0
    assert ["shop_cipher", "***"] in first["query"]
    assert second["code"] != 0
    assert second["message"]
    assert not second["processed"]
    assert await logged(wire, after=first["number"]) == [second]


async def test_the_log_explains_the_signature(wire: Wire) -> None:
    """The string to sign as the platform makes it, with secret and cipher masked."""
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    await wire.cancel(order_id)
    await wire.send("GET", SHOPS, app_secret="wrong")
    await wire.send("GET", SHOPS, query={"timestamp": 1})
    right, wrong, old = [entry["signature"] for entry in await logged(wire)]
    body = json.dumps({"order_id": order_id, "cancel_reason": PAID}, separators=(",", ":"))
    key = dict((await logged(wire))[0]["query"])["app_key"]
    assert right["string_to_sign"] == (
        f"***{CANCEL}app_key{key}shop_cipher***timestamp{NOW}{body}***"
    )
    assert right["matches"]
    assert right["expected"] == right["received"]
    assert not wrong["matches"]
    assert len(wrong["expected"]) == len(wrong["received"]) == 64
    assert old["matches"], "refused for its age, though signed well"


async def test_the_log_knows_what_cannot_be_explained(wire: Wire) -> None:
    await wire.send("GET", "/nothing/here/at/all")
    await wire.send("GET", SHOPS, query={"app_key": "another"})
    nowhere, stranger = await logged(wire)
    assert nowhere["operation"] is None
    assert nowhere["signature"] is None
    assert stranger["signature"]["expected"] is None
    assert not stranger["signature"]["matches"]


async def test_the_log_keeps_only_the_beginning_of_a_body_and_none_of_a_file(wire: Wire) -> None:
    await wire.call("POST", CANCEL, json={"order_id": "1" * 5000, "cancel_reason": "x"})
    await wire.send("POST", UPLOAD, files={"data": b"\xff\xd8\xff a picture"})
    long, file = [entry["signature"] for entry in await logged(wire)]
    assert len(long["string_to_sign"]) < 2500
    assert "bytes)" in long["string_to_sign"]
    assert long["matches"]
    assert "picture" not in file["string_to_sign"]


async def test_the_log_says_what_a_fault_did(wire: Wire) -> None:
    faults = wire.app.state.faults
    for nth, kind in enumerate(("reset_before", "lost_answer", "html_page", "null_data"), 1):
        faults.add(kind, nth=nth)
    for _ in range(2):
        with pytest.raises(httpx.TransportError):
            await wire.send("GET", SHOPS)
    for _ in range(2):
        await wire.send("GET", SHOPS)
    seen = [
        (entry["fault"], entry["processed"], entry["status"], entry["code"])
        for entry in await logged(wire)
    ]
    assert seen == [
        ("reset_before", False, None, None),
        ("lost_answer", True, None, None),
        ("html_page", False, 502, None),
        ("null_data", True, 200, 0),
    ]


async def test_the_log_forgets_the_oldest(wire: Wire) -> None:
    for _ in range(205):
        await wire.http.get("/nowhere")
    entries = await logged(wire)
    assert [entry["number"] for entry in entries] == list(range(6, 206))
    assert len(wire.app.state.requests) == 200


async def test_a_reset_shop_goes_on_sending_webhooks() -> None:
    bodies: list[bytes] = []

    def receive(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        return httpx.Response(200)

    wire = new_wire(
        application={
            "webhook_url": "http://receiver.example/hook",
            "webhook_transport": httpx.MockTransport(receive),
        }
    )
    assert (await tool(wire, "POST", "reset")).status_code == 204
    await wire.cancel(wire.order_ids("AWAITING_SHIPMENT")[0])
    await wire.http._transport.app.state.webhooks.drain()  # type: ignore[attr-defined]
    assert len(bodies) == 2
