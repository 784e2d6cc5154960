"""The console's forms: webhooks, faults, rate limits, time, credentials, reset."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from sandbox.console import CONSOLE, HOOK, Console, Receiver, form_of, notice, text_of
from sandbox.wire import SHOPS, Clock, Wire, new_wire

from tiktok_shop_async.sandbox import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_SECRET,
    DEMO_SHOP_CIPHER,
    FaultKind,
    Market,
    create_app,
)

SECRETS = (DEMO_APP_SECRET, DEMO_ACCESS_TOKEN, DEMO_SHOP_CIPHER)


@pytest.fixture
def wire(console_wire: Wire) -> Wire:
    return console_wire


def movable_wire(**options: Any) -> Wire:
    """Return a wire to a sandbox whose clock can be advanced."""
    clock = Clock()
    app = create_app(orders=60, clock=clock, **options)
    return Wire(app, clock)


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
    assert "--webhook-url" not in page, "it was given"
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
    with pytest.raises(LookupError, match="in progress"):
        webhooks.resend(delivery.notification_id)
    await webhooks.drain()
    assert [attempt.http_status for attempt in delivery.attempts] == [200, 503]
    assert delivery.state == "waiting"
    with pytest.raises(LookupError, match="the delivery 1 is not"):
        webhooks.resend("1")
    page = await console.send("/console/resend", delivery="1", target="fire")
    assert notice(page) == ("failed", "The delivery 1 is not among the latest.")


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
        ({"nth": "1", "every": "2"}, "cannot be combined"),
        ({"nth": "0"}, "Only call number must be a whole number from 1"),
        ({"nth": "9" * 5000}, "Only call number"),
        ({"probability": "nan"}, "Probability must be a number from 0 to 1, not 'nan'"),
        ({"probability": "1e400"}, "Probability"),
        ({"kind": "slow_body", "seconds": "inf"}, "Delay"),
        ({"kind": "slow_body", "seconds": "0"}, "Seconds must be a number from 0.001"),
        ({"retry_after_as": "never"}, "Retry-After as must be one of seconds, date"),
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
