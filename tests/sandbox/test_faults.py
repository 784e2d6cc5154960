"""Faults on demand: which calls they strike, and what a client sees of each kind."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from sandbox.wire import CANCEL, NOW, PAID, SEARCH_ORDERS, SHOPS, Wire, new_wire
from signatures import expected_signature

from tiktok_shop_async import (
    AsyncTikTokShop,
    ConnectError,
    OutcomeUnknownError,
    RateLimitError,
    ServiceUnavailableError,
    TikTokShopError,
    TransportError,
)
from tiktok_shop_async.sandbox import (
    DEMO_ACCESS_TOKEN,
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_SHOP_CIPHER,
    FaultKind,
    FaultRule,
    Faults,
    Shop,
    create_app,
    run_sandbox,
)

UNTOUCHED = {
    FaultKind.THROTTLED,
    FaultKind.QUOTA_EXHAUSTED,
    FaultKind.INTERNAL_ERROR,
    FaultKind.UNAVAILABLE,
    FaultKind.HTML_PAGE,
    FaultKind.RESET_BEFORE,
}
"""The kinds that leave a call unprocessed if not told otherwise."""

WRITE_ERRORS: dict[FaultKind, tuple[type[TikTokShopError], type[Exception] | None]] = {
    FaultKind.THROTTLED: (RateLimitError, None),
    FaultKind.QUOTA_EXHAUSTED: (RateLimitError, None),
    FaultKind.INTERNAL_ERROR: (OutcomeUnknownError, ServiceUnavailableError),
    FaultKind.UNAVAILABLE: (OutcomeUnknownError, ServiceUnavailableError),
    FaultKind.HTML_PAGE: (OutcomeUnknownError, ServiceUnavailableError),
    FaultKind.RESET_BEFORE: (OutcomeUnknownError, TransportError),
    FaultKind.RESET_AFTER: (OutcomeUnknownError, TransportError),
    FaultKind.LOST_ANSWER: (OutcomeUnknownError, TransportError),
    FaultKind.TRUNCATED_BODY: (OutcomeUnknownError, TransportError),
}
"""What a write through the SDK raises, and from what; the other kinds succeed."""


class Naps:
    """A sleep that takes no time, and remembers."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
def naps() -> Naps:
    return Naps()


@pytest.fixture
async def wire(naps: Naps) -> AsyncIterator[Wire]:
    wire = new_wire(pending_share=0.0, application={"sleep": naps})
    async with wire.http:
        yield wire


def faults_of(wire: Wire) -> Faults:
    faults: Faults = wire.app.state.faults
    return faults


async def send_cancel(wire: Wire, order_id: str) -> httpx.Response:
    return await wire.send(
        "POST",
        CANCEL,
        query={"shop_cipher": DEMO_SHOP_CIPHER},
        json={"order_id": order_id, "cancel_reason": PAID},
    )


def waiting_order(shop: Shop) -> str:
    return next(o.id for o in shop.orders.values() if o.status == "AWAITING_SHIPMENT")


# Which calls are struck.


def struck(rule: FaultRule, calls: int, operation: str = "order.get_order_list") -> list[int]:
    faults = Faults([rule])
    return [number for number in range(1, calls + 1) if faults.choose(operation)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"nth": 2}, [2]),
        ({"every": 3}, [3, 6]),
        ({"times": 2}, [1, 2]),
        ({"every": 2, "times": 1}, [2]),
        ({"probability": 0}, []),
        ({"operation": "order.get_order_list"}, [1, 2, 3, 4, 5, 6]),
        ({"operation": "order.*", "nth": 1}, [1]),
        ({"operation": "*order*", "nth": 1}, [1]),
        ({"operation": "product.*"}, []),
    ],
)
def test_a_rule_strikes_the_calls_it_names(options: dict[str, Any], expected: list[int]) -> None:
    assert struck(FaultRule("throttled", **options), 6) == expected


def test_a_seed_decides_which_calls_are_struck() -> None:
    def rule(seed: int, **options: Any) -> FaultRule:
        return FaultRule("throttled", probability=0.3, seed=seed, **options)

    first = struck(rule(1), 200)
    assert first == struck(rule(1), 200)
    assert first != struck(rule(2), 200)
    assert 40 < len(first) < 80
    assert struck(rule(1, times=5), 200) == first[:5]


def test_each_rule_counts_all_calls_and_the_first_that_fits_strikes() -> None:
    faults = Faults()
    every = faults.add("throttled", every=2)
    third = faults.add("unavailable", nth=3)
    fourth = faults.add("html_page", nth=4)
    kinds = [rule and rule.kind for rule in (faults.choose("a.b") for _ in range(4))]
    assert kinds == [None, "throttled", "unavailable", "throttled"]
    assert [fault.seen for fault in (every, third, fourth)] == [4, 4, 4]
    assert [fault.struck for fault in (every, third, fourth)] == [2, 1, 0]


def test_rules_are_added_removed_and_returned_to_the_beginning() -> None:
    faults = Faults([FaultRule("throttled", nth=1)])
    assert faults.choose("a.b")
    added = faults.add(FaultRule("unavailable"))
    assert len(faults) == 2
    faults.remove(added)
    with pytest.raises(KeyError):
        faults.remove(added.id)
    faults.clear()
    assert not faults.choose("a.b")
    faults.reset()
    assert [fault.rule.kind for fault in faults] == ["throttled"]
    assert faults.choose("a.b")


@pytest.mark.parametrize(
    ("document", "word"),
    [
        ([], "JSON object"),
        ({}, "kind"),
        ({"kind": "flood"}, "flood"),
        ({"kind": "throttled", "color": "red"}, "color"),
        ({"kind": "throttled", "nth": 0}, "nth"),
        ({"kind": "throttled", "nth": "2"}, "nth"),
        ({"kind": "throttled", "nth": 1, "every": 2}, "cannot be combined"),
        ({"kind": "throttled", "probability": 2}, "probability"),
        ({"kind": "throttled", "retry_after": -1}, "retry_after"),
        ({"kind": "throttled", "retry_after_as": "weeks"}, "retry_after_as"),
        ({"kind": "slow_body", "seconds": 0}, "seconds"),
        ({"kind": "lost_answer", "after_processing": True}, "must be false"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(document: Any, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        FaultRule.from_json(document)


@pytest.mark.parametrize("kind", FaultKind)
def test_a_rule_survives_json(kind: FaultKind) -> None:
    rule = FaultRule(kind, operation="order.*", every=2, retry_after=3)
    assert FaultRule.from_json(json.loads(json.dumps(rule.as_json()))) == rule


# What each kind is, at the wire.


@pytest.mark.parametrize(
    ("options", "header"),
    [
        ({}, None),
        ({"retry_after": 7}, "7"),
        ({"retry_after": 0}, "0"),
        ({"retry_after": 60, "retry_after_as": "date"}, NOW + 60),
    ],
)
async def test_throttling_says_when_to_come_back_if_told_to(
    wire: Wire, options: dict[str, Any], header: str | int | None
) -> None:
    faults_of(wire).add("throttled", **options)
    response = await send_cancel(wire, waiting_order(wire.shop))
    assert (response.status_code, response.json()["code"]) == (429, 36009002)
    value = response.headers.get("retry-after")
    if isinstance(header, int):
        assert value.endswith("GMT")
        assert parsedate_to_datetime(value).timestamp() == header
    else:
        assert value == header


async def test_the_quota_and_internal_errors_have_their_codes(wire: Wire) -> None:
    faults_of(wire).add("quota_exhausted", nth=1)
    faults_of(wire).add("internal_error", nth=2)
    answers = [await wire.send("GET", SHOPS) for _ in range(3)]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (429, 36009037),
        (500, 36009003),
        (200, 0),
    ]
    assert answers[1].json()["data"] is None


async def test_what_stands_in_between_answers_without_an_envelope(wire: Wire) -> None:
    faults_of(wire).add("unavailable", nth=1)
    faults_of(wire).add("html_page", nth=2)
    plain, page = [await wire.send("GET", SHOPS) for _ in range(2)]
    assert (plain.status_code, plain.text) == (503, "Service Unavailable")
    assert page.status_code == 502
    assert page.headers["content-type"].startswith("text/html")
    assert page.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("kind", ["internal_error", "unavailable", "html_page"])
@pytest.mark.parametrize("after", [False, True])
async def test_a_failure_may_hide_that_the_call_was_processed(
    wire: Wire, kind: str, after: bool
) -> None:
    order_id = waiting_order(wire.shop)
    faults_of(wire).add(kind, after_processing=after)
    assert (await send_cancel(wire, order_id)).status_code >= 500
    assert len(wire.shop.orders[order_id].cancellations) == after
    # Refused by the shop: what hides a success hides a refusal as well.
    assert (await send_cancel(wire, "1")).status_code >= 500


async def test_slow_answers_are_the_right_ones_late(wire: Wire, naps: Naps) -> None:
    expected = (await wire.send("GET", SHOPS)).json()["data"]
    faults_of(wire).add("slow_headers", nth=1, seconds=30)
    faults_of(wire).add("slow_body", nth=2, seconds=20.5)
    answers = [(await wire.send("GET", SHOPS)).json() for _ in range(2)]
    assert [answer["data"] for answer in answers] == [expected, expected]
    assert naps.seconds == [30, 20.5]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reset_before", httpx.ReadError),
        ("reset_after", httpx.ReadError),
        ("lost_answer", httpx.RemoteProtocolError),
        ("truncated_body", httpx.RemoteProtocolError),
    ],
)
async def test_in_process_a_broken_connection_is_an_httpx_error(
    wire: Wire, kind: str, error: type[Exception]
) -> None:
    faults_of(wire).add(kind)
    with pytest.raises(error, match="sandbox"):
        await wire.send("GET", SHOPS)


async def test_spoilt_data_keeps_its_envelope(wire: Wire) -> None:
    query = {"page_size": 2}
    right = await wire.call("POST", SEARCH_ORDERS, query=query, json={})
    faults_of(wire).add("null_data", nth=1)
    faults_of(wire).add("numbers_as_strings", nth=2)
    faults_of(wire).add("extra_fields", nth=3)
    null, texts, more = [
        await wire.call("POST", SEARCH_ORDERS, query=query, json={}) for _ in range(3)
    ]
    assert {answer["code"] for answer in (null, texts, more)} == {0}
    assert null["data"] is None
    assert texts["data"]["total_count"] == str(right["data"]["total_count"])
    first, right_first = texts["data"]["orders"][0], right["data"]["orders"][0]
    assert first["create_time"] == str(right_first["create_time"])
    assert first["id"] == right_first["id"]
    assert [type(value) for value in first.values() if isinstance(value, bool)] == [
        type(value) for value in right_first.values() if isinstance(value, bool)
    ]
    assert without_extras(more["data"]) == right["data"]
    assert more["data"] != right["data"]
    assert more["data"]["orders"][1] != right["data"]["orders"][1]


def without_extras(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: without_extras(each)
            for name, each in value.items()
            if not name.startswith("sandbox_extra")
        }
    return [without_extras(each) for each in value] if isinstance(value, list) else value


async def test_a_mistake_in_the_request_is_no_matter_of_faults(wire: Wire) -> None:
    fault = faults_of(wire).add("lost_answer")
    answer = await wire.send("GET", SHOPS, app_secret="wrong")
    assert answer.json()["code"] == 106001
    assert fault.seen == 0


# What a client sees, through the SDK: in process, and over a real connection.


def new_client(**options: Any) -> AsyncTikTokShop:
    return AsyncTikTokShop(
        DEMO_APP_KEY,
        DEMO_APP_SECRET,
        access_token=DEMO_ACCESS_TOKEN,
        shop_cipher=DEMO_SHOP_CIPHER,
        max_retries=0,
        **options,
    )


async def strike_a_write(
    client: AsyncTikTokShop, shop: Shop, faults: Faults, kind: FaultKind
) -> None:
    """Cancel an order under a fault, and compare what the client and the shop know."""
    order_id = waiting_order(shop)
    faults.add(kind, operation="return_refund.cancel_order")
    call = client.return_refund.cancel_order(order_id=order_id, cancel_reason=PAID)
    if kind in WRITE_ERRORS:
        error, cause = WRITE_ERRORS[kind]
        with pytest.raises(error) as caught:
            await call
        assert type(caught.value.__cause__) is (cause or type(None))
    else:
        response = await call
        assert response.code == 0
        assert response.data is not None
    assert len(shop.orders[order_id].cancellations) == (kind not in UNTOUCHED)


@pytest.mark.parametrize("kind", FaultKind)
async def test_a_write_in_process_is_processed_as_the_kind_says(
    kind: FaultKind, naps: Naps
) -> None:
    app = create_app(orders=60, sleep=naps)
    shop = app.state.market.shops[DEMO_SHOP_CIPHER]
    async with new_client(transport=httpx.ASGITransport(app)) as client:
        await strike_a_write(client, shop, app.state.faults, kind)


@pytest.mark.parametrize("kind", FaultKind)
async def test_a_write_over_a_connection_is_processed_as_the_kind_says(
    kind: FaultKind, naps: Naps, caplog: pytest.LogCaptureFixture
) -> None:
    """On a connection that was used before, too; and the server has nothing to complain about."""
    async with (
        run_sandbox(orders=60, sleep=naps) as sandbox,
        new_client(base_url=sandbox.base_url) as client,
    ):
        await client.authorization.get_authorized_shops()
        await strike_a_write(client, sandbox.shop, sandbox.faults, kind)
        sandbox.faults.clear()
        await client.authorization.get_authorized_shops()
    assert not [each for each in caplog.records if not each.name.startswith("tiktok_shop_async")]


@pytest.mark.parametrize(
    ("kind", "errno_or_words"),
    [
        ("reset_before", ConnectionResetError),
        ("reset_after", ConnectionResetError),
        ("lost_answer", b""),
        ("truncated_body", b'{"code":0'),
    ],
)
async def test_connections_really_break(kind: str, errno_or_words: type[Exception] | bytes) -> None:
    """At the socket: RST is no FIN, and half of an answer is half."""
    async with run_sandbox(orders=0) as sandbox:
        request = signed_request(sandbox.base_url)
        sandbox.faults.add(kind)
        host, _, port = sandbox.base_url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(request)
        if isinstance(errno_or_words, bytes):
            got = await reader.read()
            head, _, body = got.partition(b"\r\n\r\n")
            assert body.startswith(errno_or_words)
            assert (b"content-length" in head) == bool(errno_or_words)
            assert not body.endswith(b"}")
        else:
            with pytest.raises(errno_or_words):
                await reader.read()
        writer.close()


def signed_request(base_url: str) -> bytes:
    query = {"app_key": DEMO_APP_KEY, "timestamp": str(int(time.time()))}
    request = httpx.Request("GET", base_url + SHOPS, params=query)
    sign = expected_signature(request, DEMO_APP_SECRET)
    target = request.url.copy_merge_params({"sign": sign}).raw_path
    token = f"x-tts-access-token: {DEMO_ACCESS_TOKEN}".encode()
    return b"GET %b HTTP/1.1\r\nhost: localhost\r\n%b\r\n\r\n" % (target, token)


async def test_another_server_closes_the_connection_as_well() -> None:
    """Where ours does not let the application at the connection, an error in mid-answer does."""
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    app = create_app(orders=0, faults=Faults([FaultRule("lost_answer")]))
    head, _, _ = signed_request("http://shop").partition(b" HTTP")
    path, _, query = head.removeprefix(b"GET ").partition(b"?")
    scope = {
        "type": "http",
        "method": "GET",
        "path": path.decode(),
        "query_string": query,
        "headers": [(b"x-tts-access-token", DEMO_ACCESS_TOKEN.encode())],
    }
    with pytest.raises(httpx.RemoteProtocolError):
        await app(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start"]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("throttled", RateLimitError),
        ("internal_error", ServiceUnavailableError),
        ("unavailable", ServiceUnavailableError),
        ("html_page", ServiceUnavailableError),
        ("reset_before", TransportError),
        ("lost_answer", TransportError),
        ("truncated_body", TransportError),
    ],
)
async def test_a_read_fails_for_what_it_is(kind: str, error: type[TikTokShopError]) -> None:
    async with (
        run_sandbox(orders=5, faults=Faults([FaultRule(kind)])) as sandbox,
        new_client(base_url=sandbox.base_url) as client,
    ):
        with pytest.raises(error) as caught:
            await client.order.get_order_list(page_size=1)
        assert not isinstance(caught.value, (OutcomeUnknownError, ConnectError))


async def test_odd_answers_of_a_read_are_still_typed() -> None:
    async with (
        run_sandbox(orders=5) as sandbox,
        new_client(base_url=sandbox.base_url) as client,
    ):
        right = await client.order.get_order_list(page_size=1)
        for kind in ("numbers_as_strings", "extra_fields"):
            sandbox.faults.clear()
            sandbox.faults.add(kind)
            odd = await client.order.get_order_list(page_size=1)
            assert odd.data.total_count == right.data.total_count == 5
            assert odd.data.orders == right.data.orders
            assert not odd.issues


async def test_a_timeout_of_the_client_beats_a_slow_answer() -> None:
    """With a real clock, since the client's timeouts are real."""
    started = asyncio.Event()

    async def for_ever(_: float) -> None:
        started.set()
        await asyncio.Event().wait()

    async with (
        run_sandbox(orders=60, sleep=for_ever) as sandbox,
        new_client(base_url=sandbox.base_url, timeout=0.05) as client,
    ):
        sandbox.faults.add("slow_body", seconds=60)
        order_id = waiting_order(sandbox.shop)
        with pytest.raises(OutcomeUnknownError):
            await client.return_refund.cancel_order(order_id=order_id, cancel_reason=PAID)
        assert started.is_set()
        assert len(sandbox.shop.orders[order_id].cancellations) == 1
