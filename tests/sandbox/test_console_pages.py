"""The console's pages and forms at the wire; a real browser looks at them in test_console."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest
from sandbox.console import CONSOLE, Console, form_of, labels, notice, text_of
from sandbox.wire import CANCEL, PAID, SEARCH_ORDERS, SHOPS, UPLOAD, Clock, Wire, new_wire

from tiktok_shop_async.sandbox import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_SECRET,
    DEMO_SHOP_CIPHER,
    FaultKind,
    Faults,
    Market,
    create_app,
)
from tiktok_shop_async.sandbox.console.order_actions import actions_of
from tiktok_shop_async.sandbox.orders import Order

SECRETS = (DEMO_APP_SECRET, DEMO_ACCESS_TOKEN, DEMO_SHOP_CIPHER)
HOOK = "http://receiver.example/hook"
PAGES = ("/", "/console/requests", "/console/orders", "/console/webhooks", "/console/faults")
EVIL = "<script>alert(1)</script>'\"&"
SURROGATE = "\ud83d"


class Receiver:
    """Responds to webhooks as a test sets it to."""

    def __init__(self) -> None:
        self.response = httpx.Response(200, json={"ok": True})
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.bodies.append(json.loads(request.content))
        return self.response


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def wire(receiver: Receiver) -> AsyncIterator[Wire]:
    application = {
        "faults": Faults(),
        "webhook_url": HOOK,
        "webhook_transport": httpx.MockTransport(receiver),
    }
    wire = new_wire(pending_share=0.0, application=application)
    async with wire.http, aclosing(wire.app.state.webhooks):
        yield wire


@pytest.fixture
def console(wire: Wire) -> Console:
    return Console(wire)


def movable_wire(**options: Any) -> Wire:
    """Return a wire to a sandbox whose clock can be advanced."""
    clock = Clock()
    app = create_app(orders=60, clock=clock, **options)
    return Wire(app, clock)


# All pages.


async def test_pages_show_everything_and_no_secret(wire: Wire, console: Console) -> None:
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    await wire.cancel(order_id)
    wire.app.state.faults.add("throttled", operation="order.*", every=3)
    paths = (*PAGES, "/console/requests?selected=1", console.order_path(order_id))
    pages = {path: await console.page(path) for path in paths}
    assert order_id in pages["/console/orders"]
    assert "every 3 calls" in pages["/console/faults"]
    assert "String to sign" in pages["/console/requests?selected=1"]
    assert pages["/console/webhooks"].count("<option value=") >= 44
    assert all(f'value="{kind}"' in pages["/console/faults"] for kind in FaultKind)
    for page in pages.values():
        assert not [secret for secret in SECRETS if secret in page]


async def test_pages_load_nothing_from_elsewhere(console: Console) -> None:
    for path in (*PAGES, "/console/credentials"):
        response = await console.get(path)
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "form-action 'self'" in policy
        assert "http" not in policy
        assert 'src="http' not in response.text
        assert 'href="http' not in response.text
    for name, kind in (("console.css", "text/css"), ("console.js", "text/javascript")):
        file = await console.get(f"/console/static/{name}")
        assert file.headers["content-type"].startswith(kind)
        assert (
            "//" not in file.text.replace("https://", "").replace("// ", "") or name == "console.js"
        )
        assert "@import" not in file.text
        assert "url(" not in file.text
    assert (await console.get("/console/static/other.js")).status_code == 404
    assert (await console.get("/console/static/..%2froutes.py")).status_code == 404


async def test_the_console_is_found_without_a_slash(wire: Wire) -> None:
    response = await wire.http.get(CONSOLE, follow_redirects=True)
    assert response.url.path == f"{CONSOLE}/"
    assert "<h1>Overview</h1>" in response.text


async def test_hostile_text_is_escaped_wherever_it_is_shown(wire: Wire, console: Console) -> None:
    await wire.call("POST", CANCEL, json={"order_id": EVIL, "cancel_reason": EVIL})
    await wire.call(
        "GET", SHOPS, query={EVIL: EVIL}, headers={"x-evil": "<script>alert(1)</script>"}
    )
    await wire.http.get(f"/{EVIL}/x?{EVIL}=1", headers={"user-agent": "<script>alert(1)</script>"})
    wire.app.state.faults.add("throttled", operation=f"[!{EVIL}]*")
    wire.market.subscriptions.put(EVIL, EVIL, EVIL, EVIL, 0)
    wire.app.state.webhooks.fire(1, {"order_id": EVIL})
    wire.shop.name = EVIL
    numbers = [entry.number for entry in wire.app.state.requests]
    shown = [*PAGES, *(f"/console/requests?selected={number}" for number in numbers)]
    shown += [f"/console/requests?q={EVIL}&operation={EVIL}&outcome={EVIL}"]
    shown += [f"/console/orders?q={EVIL}&status={EVIL}", f"/console/webhooks?state={EVIL}"]
    pages = [await console.page(path) for path in shown]
    pages.append(
        await console.send("/console/add-fault", kind=EVIL, operation=EVIL, target="add-fault")
    )
    pages.append(await console.send("/console/fire-event", type="1", data=EVIL, target="fire"))
    assert sum("alert(1)" in page for page in pages) >= 8
    for page in pages:
        assert "<script>alert" not in page
        assert "'\"&" not in page


async def test_text_that_cannot_be_encoded_breaks_no_page(wire: Wire, console: Console) -> None:
    await wire.http.get("/order/202309/orders?ids=%ff&x=%ed%a0%80")
    await wire.call("POST", CANCEL, content=b'{"order_id": "\\ud83d", "cancel_reason": "\xff"}')
    wire.app.state.webhooks.fire(1, {"order_id": "1"})
    wire.shop.name = f"half {SURROGATE}"
    order = next(iter(wire.shop.orders.values()))
    numbers = [entry.number for entry in wire.app.state.requests]
    for path in (*PAGES, *(f"/console/requests?selected={number}" for number in numbers)):
        await console.page(path)
    assert r"half \ud83d" in await console.page(console.order_path(order.id))


@pytest.mark.parametrize(
    "query", ["page=x", "page=0", f"page={'9' * 5000}", "page=-1", "selected=%ff"]
)
async def test_odd_queries_show_the_first_page(console: Console, query: str) -> None:
    for path in PAGES:
        await console.page(f"{path}?{query}")


# Requests.


async def test_a_request_is_shown_with_its_response(wire: Wire, console: Console) -> None:
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    await wire.send("GET", SHOPS, headers={"authorization": "Bearer abcdefgh", "cookie": "a=b"})
    await wire.cancel(order_id)
    page = text_of(await console.page("/console/requests?selected=2"))
    assert f'"order_id": "{order_id}"' in page
    assert '"cancel_id": "' in page
    assert "content-type application/json" in page
    assert "x-tts-access-token ***" in page
    assert "Signature valid" in page
    page = text_of(await console.page("/console/requests?selected=1"))
    assert '"cipher": "***"' in page
    assert "abcdefgh" not in page
    assert "cookie ***" in page


async def test_secrets_are_masked_wherever_a_client_put_them(wire: Wire, console: Console) -> None:
    await wire.call(
        "POST",
        CANCEL,
        json={"order_id": DEMO_ACCESS_TOKEN, "cancel_reason": DEMO_APP_SECRET},
        query={"seller": DEMO_ACCESS_TOKEN},
        headers={"x-debug": f"token {DEMO_ACCESS_TOKEN}"},
    )
    page = await console.page("/console/requests?selected=1")
    assert "x-debug" in page
    assert not [secret for secret in SECRETS if secret in text_of(page)]


async def test_long_bodies_are_cut_and_files_are_not_kept(wire: Wire, console: Console) -> None:
    await wire.call("POST", CANCEL, json={"order_id": "1" * 100_000, "cancel_reason": "x"})
    await wire.send("POST", UPLOAD, files={"data": b"\xff\xd8\xff a picture"})
    page = text_of(await console.page("/console/requests?selected=1"))
    assert "The first 65,536 bytes of 1" in page
    assert "a picture" not in await console.page("/console/requests?selected=2")


async def test_a_mismatch_is_explained(wire: Wire, console: Console) -> None:
    await wire.send("GET", SHOPS, app_secret="wrong")
    await wire.http.get("/nowhere")
    await wire.send("GET", SHOPS, query={"app_key": "another"})
    page = text_of(await console.page("/console/requests?selected=1"))
    assert page.count("Signature mismatch") >= 2
    assert "String to sign ***/authorization/" in page
    assert "Not checked" in text_of(await console.page("/console/requests?selected=2"))
    assert "the app key is unknown" in await console.page("/console/requests?selected=3")


async def test_remarks_are_shown_and_searched(wire: Wire, console: Console) -> None:
    await wire.send("GET", SHOPS, query={"version": "202309"})
    await wire.send("GET", SHOPS)
    page = await console.page("/console/requests?q=is ignored")
    assert "The query parameter version is ignored" in text_of(page)
    assert 'data-number="1"' in page
    assert 'data-number="2"' not in page


async def test_requests_are_filtered(wire: Wire, console: Console) -> None:
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    await wire.cancel(order_id)
    await wire.send("GET", SHOPS, app_secret="wrong")
    await wire.cancel("1")
    wire.app.state.faults.add("html_page", operation="order.*")
    search = {"page_size": 1, "shop_cipher": DEMO_SHOP_CIPHER}
    await wire.send("POST", SEARCH_ORDERS, query=search, json={})

    async def shown(query: str) -> list[int]:
        page = await console.page(f"/console/requests?{query}")
        return [number for number in range(1, 5) if f'data-number="{number}"' in page]

    assert await shown("") == [1, 2, 3, 4]
    assert await shown("operation=return_refund.cancel_order") == [1, 3]
    assert await shown("outcome=success") == [1]
    assert await shown("outcome=error") == [2, 3]
    assert await shown("outcome=signature") == [2]
    assert await shown("outcome=fault") == [4]
    assert await shown(f"q={order_id}") == [1]
    assert await shown("q=DOES NOT EXIST") == [3]
    assert await shown("q=106001") == [2]
    assert await shown("operation=return_refund.cancel_order&outcome=success&q=nothing") == []
    page = await console.page("/console/requests?q=nothing")
    assert "No request matches the filter" in page
    assert 'value="nothing"' in page


# Orders.


async def test_orders_are_listed_searched_and_paged(wire: Wire, console: Console) -> None:
    def ids(page: str) -> list[str]:
        return [order_id for order_id in wire.shop.orders if f'data-order="{order_id}"' in page]

    wire.clock.now += 60
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    await wire.cancel(order_id)
    first = await console.page("/console/orders")
    assert len(ids(first)) == 50
    assert f'data-order="{order_id}"' in first
    seen = [
        each
        for number in (1, 2, 3, 4)
        for each in ids(await console.page(f"/console/orders?page={number}"))
    ]
    assert sorted(seen) == sorted(wire.shop.orders)
    assert "Page 4 of 4" in await console.page("/console/orders?page=99")
    unpaid = ids(await console.page("/console/orders?status=UNPAID"))
    assert sorted(unpaid) == sorted(wire.order_ids("UNPAID"))
    assert ids(await console.page(f"/console/orders?q={order_id[5:]}")) == [order_id]
    assert "No order in Sandbox Goods matches" in await console.page("/console/orders?q=none")
    _, second = wire.market.shops.values()
    assert second.name in await console.page(f"/console/orders?shop={second.id}&q=1")
    assert (await console.get("/console/orders?shop=none")).status_code == 404


async def test_an_unknown_order_is_not_found(wire: Wire, console: Console) -> None:
    order_id = next(iter(wire.shop.orders))
    for path in (
        console.order_path("1"),
        f"/console/orders/1/{order_id}",
        console.order_path("%ff"),
    ):
        assert (await console.get(path)).status_code == 404
        sent = await wire.http.post(CONSOLE + path, data={"action": "pay"})
        assert sent.status_code == 404


async def test_an_order_lives_its_whole_life_by_its_buttons(wire: Wire, console: Console) -> None:
    order = wire.shop.orders[wire.order_ids("UNPAID")[0]]
    path = console.order_path(order.id)
    assert notice(await console.submit(path, "Pay")) == ("done", "The order is ON_HOLD.")
    wire.clock.now += 3600
    for label, status in (
        ("Ship", "AWAITING_COLLECTION"),
        ("Hand over to carrier", "IN_TRANSIT"),
        ("Deliver", "DELIVERED"),
    ):
        assert notice(await console.submit(path, label))[0] == "done"
        assert order.status == status
    page = await console.submit(path, "Request return and refund")
    (request,) = order.requests
    assert notice(page) == ("done", f"Return {request.id}: Return or refund request pending.")
    await console.submit(path, "Approve return")
    await console.submit(path, "Send back")
    assert request.status == "BUYER_SHIPPED_ITEM"
    await console.submit(path, "Offer partial refund after receiving pkg", amount="1.5")
    assert request.offer == 150
    page = await console.submit(path, "Decline offer of 1.50")
    assert labels(page)
    await console.submit(path, "Approve received package")
    assert request.granted
    page = await console.submit(path, "Complete")
    assert order.status == "COMPLETED"
    assert labels(page) == []
    page = text_of(page)
    assert "Nothing can happen to this order any more" in page
    for step in (
        "Order placed",
        "Order paid",
        "Package",
        f"Return {request.id}: requested by Buyer",
    ):
        assert step in page


async def test_buyers_cancel_and_sellers_decide(wire: Wire, console: Console) -> None:
    order = wire.shop.orders[wire.order_ids("AWAITING_SHIPMENT", lines=2)[0]]
    path = console.order_path(order.id)
    await console.submit(path, "Request cancellation", line=[order.lines[0].id])
    assert [line.being_cancelled for line in order.lines[:2]] == [True, False]
    page = text_of(await console.page(path))
    assert "frozen" in page
    assert "The package is frozen: a cancellation is pending." in page
    await console.submit(path, "Withdraw cancellation request")
    await console.submit(path, "Request cancellation")
    await console.submit(path, "Reject cancellation")
    await console.submit(path, "Request cancellation")
    page = await console.submit(path, "Approve cancellation")
    assert order.status == "CANCELLED"
    assert [each.status[21:] for each in order.cancellations] == ["CANCEL", "CANCEL", "SUCCESS"]
    assert "refunded" in text_of(page)


async def test_what_is_offered_succeeds_and_what_is_not_is_refused(
    wire: Wire, console: Console
) -> None:
    """For orders in every state, also with requests under way; the pages name the reason."""
    orders = list(wire.shop.orders.values())
    chosen = {order.status: order for order in orders if len(order.lines) > 1}.values()
    first = [action.name for order in chosen for action in actions_of(order, wire.shop)]
    assert len(set(first)) >= 9
    for order in chosen:
        refused = [a for a in actions_of(order, wire.shop) if a.blocked]
        shown = text_of(await console.page(console.order_path(order.id)))
        for action in refused:
            assert f"{action.actor}: {action.label} {action.blocked}" in shown
            subject = action.subject or (order.packages[-1].id if order.packages else "1")
            before = _state(order)
            page = await console.send(
                console.order_path(order.id),
                action=action.name,
                subject=subject,
                reason=next(iter(action.reasons), PAID),
                line=[line.id for line in order.lines],
                target=action.element_id,
            )
            assert notice(page)[0] == "failed"
            assert _state(order) == before
    for name in dict.fromkeys(first):
        await _offered_actions_succeed(new_wire(pending_share=0.0), name)


async def _offered_actions_succeed(wire: Wire, name: str) -> None:
    async with wire.http:
        console = Console(wire)
        for order in {order.status: order for order in wire.shop.orders.values()}.values():
            for action in actions_of(order, wire.shop):
                if action.name == name and not action.blocked:
                    page = await console.submit(console.order_path(order.id), action.label)
                    assert notice(page)[0] == "done", (order.status, action, notice(page))


def _state(order: Order) -> object:
    return order.status, order.update_time, len(order.cancellations), len(order.requests)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"action": "explode"}, "There is no action 'explode'"),
        ({"action": "cancel", "line": []}, "Reason is required"),
        ({"action": "cancel", "reason": PAID, "line": []}, "Select at least one item"),
        ({"action": "cancel", "reason": "none", "line": ["1"]}, "reason is unknown"),
        ({"action": "cancel", "reason": PAID, "line": ["1"]}, "has no line item 1"),
        ({"action": "ship", "subject": "1"}, "The order has no package, cancellation or return"),
        ({}, "Action is required"),
    ],
)
async def test_wrong_input_to_an_order_changes_nothing(
    wire: Wire, console: Console, fields: dict[str, Any], message: str
) -> None:
    order = wire.shop.orders[wire.order_ids("AWAITING_SHIPMENT", lines=2)[0]]
    before = _state(order)
    page = await console.send(console.order_path(order.id), target="cancel", **fields)
    kind, text = notice(page)
    assert (kind, message in text) == ("failed", True), text
    assert _state(order) == before


async def test_an_offer_needs_an_amount_that_was_paid(wire: Wire, console: Console) -> None:
    order = wire.shop.orders[wire.order_ids("DELIVERED")[0]]
    request = wire.shop.request_return(order.id, "ecom_order_delivered_refund_reason_damaged")
    for amount in ("", "-1", "1.234", "nan", "1e3", "9" * 5000, "999999.99", "0"):
        page = await console.submit(
            console.order_path(order.id), "Offer partial refund", amount=amount
        )
        assert notice(page)[0] == "failed"
        assert request.offer is None
    assert "0" in form_of(page, "Offer partial refund")


# Webhooks.


async def test_deliveries_are_shown_with_attempts_and_sent_again(
    wire: Wire, console: Console, receiver: Receiver
) -> None:
    webhooks = wire.app.state.webhooks
    receiver.response = httpx.Response(500, text="database\nis locked <b>")
    page = await console.submit("/console/webhooks", "Fire event")
    assert notice(page) == ("done", "1 Order status change sent to 1 receiver.")
    await webhooks.drain()
    (delivery,) = webhooks.deliveries
    page = text_of(await console.page(f"/console/webhooks?selected={delivery.notification_id}"))
    assert "waiting next attempt" in page
    assert "HTTP 500 database is locked <b>" in page
    assert f'"tts_notification_id": "{delivery.notification_id}"' in page
    receiver.response = httpx.Response(200)
    fields = {
        "delivery": delivery.notification_id,
        "query": f"state=&selected={delivery.notification_id}",
    }
    row = f"delivery-{delivery.notification_id}"
    page = await console.send("/console/resend", target=row, **fields)
    assert notice(page) == ("done", "Attempt 2 started.")
    await webhooks.drain()
    assert [attempt.http_status for attempt in delivery.attempts] == [500, 200]
    assert delivery.state == "delivered"
    assert {body["tts_notification_id"] for body in receiver.bodies} == {delivery.notification_id}
    assert "delivered" in await console.page("/console/webhooks?state=delivered")
    assert "No delivery is waiting" in await console.page("/console/webhooks?state=waiting")


async def test_a_delivered_webhook_is_sent_again_and_retried(
    wire: Wire, console: Console, receiver: Receiver
) -> None:
    webhooks = wire.app.state.webhooks
    webhooks.fire(1)
    await webhooks.drain()
    (delivery,) = webhooks.deliveries
    receiver.response = httpx.Response(503)
    webhooks.resend(delivery.notification_id)
    with pytest.raises(LookupError, match="is being sent"):
        webhooks.resend(delivery.notification_id)
    await webhooks.drain()
    assert [attempt.http_status for attempt in delivery.attempts] == [200, 503]
    assert delivery.state == "waiting"
    with pytest.raises(LookupError, match="no delivery 1 "):
        webhooks.resend("1")
    page = await console.send("/console/resend", delivery="1", target="fire")
    assert notice(page) == ("failed", "No delivery 1 is among the latest.")


async def test_the_control_endpoint_shows_responses_and_the_next_attempt(
    wire: Wire, receiver: Receiver
) -> None:
    receiver.response = httpx.Response(400, json={"error": "no", "app_secret": DEMO_APP_SECRET})
    wire.app.state.webhooks.fire(1)
    await wire.app.state.webhooks.drain()
    response = await wire.http.get(f"{CONSOLE}/events")
    (delivery,) = response.json()["deliveries"]
    assert delivery["next_attempt"] == wire.clock.now + 120
    assert '"error":"no"' in delivery["attempts"][0]["response"]
    assert DEMO_APP_SECRET not in response.text


async def test_events_need_a_receiver_and_valid_data(console: Console) -> None:
    for data in ("{", "[1]", "1" * 5000, "[" * 100_000):
        page = await console.submit("/console/webhooks", "Fire event", data=data)
        assert notice(page)[0] == "failed"
        assert notice(page)[1].startswith("Data must be a JSON object")
    assert form_of(page, "Fire event").count("[") >= 100_000
    page = await console.submit("/console/webhooks", "Fire event", type="999")
    assert notice(page)[0] == "failed"
    wire = new_wire()
    async with wire.http:
        page = await Console(wire).submit("/console/webhooks", "Fire event")
        assert notice(page)[0] == "failed"
        assert "--webhook-url" in notice(page)[1]
        assert "No subscriptions" in page


async def test_subscriptions_are_shown(wire: Wire, console: Console) -> None:
    shop_id = wire.shop.id
    wire.market.subscriptions.put(
        "an-app", shop_id, "ORDER_STATUS_CHANGE", "https://a.example/x", 0
    )
    page = text_of(await console.page("/console/webhooks"))
    assert f"ORDER_STATUS_CHANGE https://a.example/x App an-app, shop {shop_id}" in page
    assert f"All events go to {HOOK}" in page


# Faults and limits.


async def test_every_kind_of_fault_is_added_and_removed(wire: Wire, console: Console) -> None:
    for kind in FaultKind:
        page = await console.submit(
            "/console/faults",
            "Add fault",
            kind=kind,
            operation="order.*",
            every="2",
            retry_after="3",
            seconds="0.5",
            after_processing="yes",
        )
        assert notice(page)[0] == "done"
    faults = wire.app.state.faults
    by_kind = {fault.rule.kind: fault.rule for fault in faults}
    assert list(by_kind) == list(FaultKind)
    assert by_kind[FaultKind.THROTTLED].retry_after == 3
    assert by_kind[FaultKind.SLOW_BODY].seconds == 0.5
    assert by_kind[FaultKind.HTML_PAGE].after_processing
    assert not by_kind[FaultKind.LOST_ANSWER].after_processing
    page = await console.send("/console/remove-fault", fault="1", target="faults")
    assert notice(page) == ("done", "Fault removed.")
    page = await console.send("/console/remove-fault", fault="1", target="faults")
    assert notice(page)[0] == "failed"
    page = await console.send("/console/clear-faults", target="faults")
    assert "No faults" in page
    assert len(faults) == 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "flood"}, "flood"),
        ({"operation": ""}, "Operation is required"),
        ({"nth": "1", "every": "2"}, "not both"),
        ({"nth": "0"}, "Only call number must be a whole number from 1"),
        ({"nth": "9" * 5000}, "Only call number"),
        ({"probability": "nan"}, "Probability must be a number from 0 to 1, not 'nan'"),
        ({"probability": "1e400"}, "Probability"),
        ({"kind": "slow_body", "seconds": "inf"}, "Delay"),
        ({"kind": "slow_body", "seconds": "0"}, "Seconds must be a number from 0.001"),
        ({"retry_after_as": "never"}, "retry_after_as"),
    ],
)
async def test_a_wrong_fault_is_refused_with_what_was_entered(
    wire: Wire, console: Console, fields: dict[str, str], message: str
) -> None:
    sent = {"kind": "throttled", "operation": "order.*", "times": "7", **fields}
    page = await console.submit("/console/faults", "Add fault", **sent)
    kind, text = notice(page)
    assert (kind, message in text) == ("failed", True), text
    assert 'name="times" inputmode="numeric" value="7"' in page
    assert len(wire.app.state.faults) == 0


async def test_limits_are_set_shown_and_removed(wire: Wire, console: Console) -> None:
    rates = {"light_read.per_second": "0.5", "light_read.burst": "2"}
    page = await console.submit("/console/faults", "Rate limits", **rates, hourly_quota="100")
    assert notice(page) == ("done", "Rate limits set.")
    assert "Light reads: 0.5 per second, burst of 2" in page
    assert "100 calls per hour" in page
    statuses = [(await wire.send("GET", SHOPS)).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    for wrong in (
        {"read.burst": "3"},
        {"read.per_second": "0"},
        {"read.per_second": "fast"},
        {"hourly_quota": "-1"},
        {"retry_after": "never"},
    ):
        page = await console.submit("/console/faults", "Rate limits", **wrong)
        assert notice(page)[0] == "failed"
        assert wire.app.state.limits.settings.hourly_quota == 100
    page = await console.send("/console/clear-limits", target="limits")
    assert notice(page) == ("done", "Rate limits removed.")
    assert (await wire.send("GET", SHOPS)).status_code == 200


# Time, credentials, reset.


async def test_the_clock_is_advanced(receiver: Receiver) -> None:
    wire = movable_wire()
    async with wire.http:
        console = Console(wire)
        page = await console.submit("/", "Advance clock", amount="2", unit="days")
        assert notice(page) == ("done", "Clock advanced by 2 d.")
        assert "2 d ahead of the system clock" in page
        page = await console.submit("/", "Advance clock by a preset", seconds="3600")
        assert "2 d 1 h ahead" in page
        assert not wire.order_ids("UNPAID")
        for amount, unit in (
            ("", "days"),
            ("x", "days"),
            ("-1", "days"),
            ("9" * 5000, "days"),
            ("999999999", "days"),
            ("1", "years"),
        ):
            page = await console.submit("/", "Advance clock", amount=amount, unit=unit)
            assert notice(page)[0] == "failed"
            assert "2 d 1 h ahead" in page
        for _ in range(900):
            wire.app.state.requests.open("GET", "/", 1e20)
        await console.page("/console/requests")


async def test_a_clock_that_cannot_be_advanced_is_told(wire: Wire, console: Console) -> None:
    assert "cannot be advanced" in await console.page()
    page = await console.send("/console/advance-clock", seconds="60", target="reset")
    assert notice(page)[0] == "failed"


async def test_reset_asks_first_and_brings_the_beginning_back(wire: Wire, console: Console) -> None:
    order_id = wire.order_ids("AWAITING_SHIPMENT")[0]
    await wire.cancel(order_id)
    page = await console.page()
    assert page.index("Reset sandbox…") < page.index("<b>Reset the sandbox?</b>")
    assert notice(await console.send("/console/reset", target="reset")) == (
        "failed",
        "Confirm the reset first.",
    )
    assert wire.shop.orders[order_id].status == "CANCELLED"
    page = await console.submit("/", "Reset")
    assert notice(page) == ("done", "The sandbox is in its initial state.")
    assert wire.shop.orders[order_id].status == "AWAITING_SHIPMENT"
    assert len(wire.app.state.requests) == 0


async def test_a_market_made_by_hand_cannot_be_reset() -> None:
    clock = Clock()
    wire = Wire(create_app(market=Market([], [], []), clock=clock), clock)
    async with wire.http:
        page = await wire.http.get(f"{CONSOLE}/")
        assert page.status_code == 200
        sent = await wire.http.post(
            f"{CONSOLE}/console/reset", data={"confirmed": "yes", "target": "reset"}
        )
        page = await wire.http.get(sent.headers["location"])
        assert notice(page.text)[0] == "failed"
        assert (await wire.http.get(f"{CONSOLE}/console/orders")).status_code == 404


async def test_credentials_are_shown_when_asked_for(wire: Wire, console: Console) -> None:
    page = await console.page("/console/credentials")
    assert all(secret in page for secret in SECRETS)
    assert "http://shop.example<" in page
    assert "expired" in page


# The forms themselves.


async def test_pages_of_other_sites_can_send_no_form(wire: Wire, console: Console) -> None:
    order = wire.shop.orders[wire.order_ids("UNPAID")[0]]
    for path, fields in (
        ("/console/clear-faults", {}),
        (console.order_path(order.id), {"action": "pay"}),
    ):
        for origin, status in (("https://evil.example", 403), ("null", 403)):
            sent = await wire.http.post(CONSOLE + path, data=fields, headers={"origin": origin})
            assert sent.status_code == status
    assert order.status == "UNPAID"
    own = await wire.http.post(
        f"{CONSOLE}/console/clear-faults", data={}, headers={"origin": "http://shop.example"}
    )
    assert own.status_code == 303


async def test_a_form_returns_to_its_own_page_alone(wire: Wire) -> None:
    sent = await wire.http.post(
        f"{CONSOLE}/console/clear-faults",
        data={"query": "https://evil.example/&x=1", "target": "faults"},
    )
    assert sent.headers["location"].startswith(f"{CONSOLE}/console/faults?")
    assert (await wire.http.post(f"{CONSOLE}/console/other", data={})).status_code == 404
    assert (await wire.http.get(f"{CONSOLE}/console/clear-faults")).status_code == 405


async def test_large_and_odd_forms_are_refused(wire: Wire, console: Console) -> None:
    for content in (
        b"x" * 1_100_000,
        b"&".join([b"a=1"] * 3000),
        b"\xff=\xff&kind=%ff&operation=%ed%a0%80",
    ):
        sent = await wire.http.post(f"{CONSOLE}/console/add-fault", content=content)
        assert sent.status_code == 303
        assert (await wire.http.get(sent.headers["location"])).status_code == 200
    assert len(wire.app.state.faults) == 0


async def test_notices_are_kept_for_the_latest_forms_alone(console: Console) -> None:
    for _ in range(120):
        page = await console.send("/console/clear-faults", target="faults")
    assert notice(page)[0] == "done"


async def test_the_pages_of_a_large_shop_are_short() -> None:
    """A page of a list has as many rows as a page, however many orders there are."""
    wire = new_wire(orders=2_000)
    async with wire.http:
        for number in (1, 20, 40):
            page = await Console(wire).page(f"/console/orders?page={number}")
            assert page.count("data-order=") == 50
            assert len(page) < 60_000
        seen = await asyncio.gather(
            *(Console(wire).page(f"/console/orders?page={n}") for n in (20, 21))
        )
        first, second = ({part[:18] for part in page.split('data-order="')[1:]} for page in seen)
        assert not first & second
