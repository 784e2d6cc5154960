"""Every input of the control endpoints has bounds; an error names the input and its value."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sandbox.wire import CANCEL, SHOPS, Wire, new_wire

from tiktok_shop_async._internal.movable_clock import MovableClock
from tiktok_shop_async.sandbox import FaultRule, Faults, Limits, LimitSettings, Rate, create_app
from tiktok_shop_async.sandbox.inputs.bounded_body import MAX_BODY
from tiktok_shop_async.sandbox.state.sandbox_state import END_OF_TIME

NOW = 1_790_000_000.0
DIGITS = "9" * 5000
DEEP = "[" * 100 + "]" * 100
DEEPER = "[" * 100_000 + "]" * 100_000
JSON = {"content-type": "application/json"}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the control endpoints of a sandbox whose time only a test moves."""
    app = create_app(orders=9, clock=MovableClock(lambda: NOW))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://localhost/_sandbox/"
    ) as http:
        yield http


async def state_of(http: httpx.AsyncClient) -> list[Any]:
    """Everything that a control request could change."""
    paths = ("faults", "limits", "clock", "events", "orders?limit=1000000", "requests")
    return [(await http.get(path)).json() for path in paths]


BAD_INPUT = [
    ("POST", "clock", '{"advance": NaN}', ("advance", "NaN", "finite")),
    ("POST", "clock", '{"advance": Infinity}', ("advance", "Infinity")),
    ("POST", "clock", '{"advance": 1e400}', ("advance", "1e400")),
    ("POST", "clock", '{"advance": 1e17}', ("advance", "1e+17", "from 0 to")),
    ("POST", "clock", '{"advance": -1}', ("advance", "-1", "from 0 to")),
    ("POST", "clock", '{"advance": 2312444801}', ("advance", "2312444801", "2312444800")),
    ("POST", "clock", f'{{"advance": {DIGITS}}}', ("advance", "9999")),
    ("POST", "clock", '{"advance": "60"}', ("advance", "'60'")),
    ("POST", "clock", '{"advance": true}', ("advance", "True")),
    ("POST", "clock", '{"advance": null}', ("advance", "None")),
    ("POST", "clock", "{}", ("advance", "None")),
    ("POST", "clock", "[1]", ("JSON object", "advance", "[1]")),
    ("POST", "clock", '{"advance": 1, "back": 1}', ("unexpected", "back", "advance")),
    ("POST", "clock", DEEP, ("deeper than 64",)),
    ("POST", "clock", DEEPER, ("deeper than 64",)),
    ("POST", "clock", "", ("not valid JSON",)),
    ("POST", "faults", '{"kind": "throttled", "nth": 0}', ("nth", "0", "from 1 to")),
    ("POST", "faults", '{"kind": "throttled", "nth": true}', ("nth", "True")),
    ("POST", "faults", '{"kind": "throttled", "every": 1.5}', ("every", "1.5", "integer")),
    ("POST", "faults", f'{{"kind": "throttled", "times": {DIGITS}}}', ("times", "9999")),
    ("POST", "faults", '{"kind": "throttled", "probability": NaN}', ("probability", "NaN")),
    ("POST", "faults", '{"kind": "throttled", "probability": 2}', ("probability", "0 to 1", "2")),
    ("POST", "faults", '{"kind": "throttled", "retry_after": 1e300}', ("retry_after", "1e+300")),
    ("POST", "faults", '{"kind": "throttled", "retry_after": 99999999999}', ("retry_after",)),
    ("POST", "faults", '{"kind": "slow_body", "seconds": 1e400}', ("seconds", "1e400")),
    ("POST", "faults", '{"kind": "slow_body", "seconds": 1e300}', ("seconds", "1e+300")),
    ("POST", "faults", '{"kind": "slow_body", "seconds": 0}', ("seconds", "0.001")),
    ("POST", "faults", '{"kind": "throttled", "seed": 1e400}', ("seed", "1e400")),
    ("POST", "faults", '{"kind": [[]]}', ("[[]]",)),
    ("POST", "faults", DEEPER, ("deeper than 64",)),
    ("POST", "limits", '{"rates": {"write": {"per_second": 1e400}}}', ("per_second", "1e400")),
    ("POST", "limits", '{"rates": {"write": {"per_second": 5e-324}}}', ("per_second", "0.001")),
    ("POST", "limits", '{"rates": {"write": {"per_second": 1e9}}}', ("per_second", "1000000")),
    ("POST", "limits", '{"rates": {"write": {"per_second": true}}}', ("per_second", "True")),
    ("POST", "limits", '{"rates": {"write": {"per_second": "3"}}}', ("per_second", "'3'")),
    (
        "POST",
        "limits",
        '{"rates": {"write": {"per_second": 1, "burst": 1e9}}}',
        ("burst", "integer"),
    ),
    ("POST", "limits", '{"rates": {"write": {"per_second": 1, "peak": 1}}}', ("peak", "burst")),
    ("POST", "limits", '{"rates": {"write": null}}', ("rates.write", "per_second", "None")),
    ("POST", "limits", '{"rates": {"chat": {"per_second": 1}}}', ("chat", "light_read")),
    ("POST", "limits", '{"rates": 3}', ("rates", "3")),
    ("POST", "limits", f'{{"hourly_quota": {DIGITS}}}', ("hourly_quota", "9999")),
    ("POST", "limits", '{"hourly_quota": true}', ("hourly_quota", "True")),
    ("POST", "limits", '{"quota": 1}', ("quota", "hourly_quota")),
    ("POST", "limits", '"fast"', ("JSON object", "fast")),
    ("POST", "events", '{"type": 1, "data": ' + '{"a": ' * 100 + "1" + "}" * 101, ("deeper",)),
    ("POST", "events", DEEPER, ("deeper than 64",)),
    ("POST", "events", f'{{"type": {DIGITS}}}', ("type", "9999")),
    ("POST", "events", '{"type": true}', ("type", "True")),
    ("POST", "events", '{"type": 1e400}', ("type", "1e400")),
    ("POST", "events", '{"type": "PIGEON"}', ("type", "PIGEON", "ORDER_STATUS_CHANGE")),
    ("POST", "events", '{"type": 1, "data": {"at": 1e400}}', ("data.at", "1e400")),
    ("POST", "events", '{"type": 1, "data": []}', ("data", "[]")),
    ("POST", "events", f'{{"type": 1, "shop_id": "{DIGITS}"}}', ("shop_id", "255")),
    ("POST", "events", '{"type": 1, "shop_id": 7}', ("shop_id", "7")),
    ("POST", "events", '{"type": 1, "shop": "7"}', ("unexpected", "shop", "shop_id")),
    ("POST", "events", "7", ("JSON object", "7")),
    ("GET", f"requests?after={DIGITS}", "", ("after", "9999", "19 digits")),
    ("GET", "requests?after=-1", "", ("after", "-1")),
    ("GET", "requests?after=\u0663", "", ("after", "19 digits")),
    ("GET", f"orders?limit={DIGITS}", "", ("limit", "9999", "19 digits")),
    ("GET", "orders?limit=1e400", "", ("limit", "1e400")),
    ("GET", "orders?limit=%ff", "", ("limit", "19 digits")),
]


@pytest.mark.parametrize(("method", "path", "body", "words"), BAD_INPUT)
async def test_a_bad_input_is_named_and_changes_nothing(
    http: httpx.AsyncClient, method: str, path: str, body: str, words: tuple[str, ...]
) -> None:
    await http.post("faults", json={"kind": "throttled", "nth": 3})
    await http.post("limits", json={"hourly_quota": 5})
    before = await state_of(http)
    answer = await http.request(method, path, content=body.encode(), headers=JSON)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert [word for word in words if word not in error] == []
    assert len(error) < 300
    assert await state_of(http) == before


@pytest.mark.parametrize("number", ["x", "0", "-1", "7", DIGITS, "1.5", "%ff"])
async def test_a_rule_that_is_not_in_force_is_named(http: httpx.AsyncClient, number: str) -> None:
    await http.post("faults", json={"kind": "throttled"})
    answer = await http.delete(f"faults/{number}")
    assert answer.status_code == 404
    assert len(answer.json()["error"]) < 100
    assert len((await http.get("faults")).json()["faults"]) == 1


@pytest.mark.parametrize("path", ["faults", "limits", "clock", "events"])
async def test_a_body_that_is_too_large_is_rejected(http: httpx.AsyncClient, path: str) -> None:
    before = await state_of(http)
    answer = await http.post(path, content=b" " * (MAX_BODY + 1), headers=JSON)
    assert answer.status_code == 413
    assert str(MAX_BODY) in answer.json()["error"]
    assert await state_of(http) == before


async def test_time_ends_with_the_century(http: httpx.AsyncClient) -> None:
    """However it is reached; everything still works there."""
    assert (await http.post("clock", json={"advance": 2e9})).status_code == 200
    left = END_OF_TIME - NOW - 2e9
    assert (await http.post("clock", json={"advance": left + 1})).status_code == 400
    answer = await http.post("clock", json={"advance": left})
    assert answer.json() == {"now": END_OF_TIME}
    assert (await http.post("clock", json={"advance": 1})).status_code == 400
    assert (await http.post("clock", json={"advance": 0})).status_code == 200
    for path in ("", "orders", "requests", "events"):
        assert (await http.get(path)).status_code == 200


async def test_events_must_be_json_by_type(http: httpx.AsyncClient) -> None:
    headers = {"content-type": "text/plain"}
    answer = await http.post("events", content=b'{"type": 1}', headers=headers)
    assert (answer.status_code, "text/plain" in answer.json()["error"]) == (400, True)


async def test_rules_at_their_bounds_can_be_shown_and_carried_out() -> None:
    """The longest Retry-After is still a date, and the slowest rate a number of seconds."""
    limits = Limits(LimitSettings(rates={"light_read": Rate(0.001)}, retry_after="date"))  # type: ignore[dict-item]
    wire = new_wire(application={"faults": Faults(), "limits": limits})
    async with wire.http:
        first, second = [await wire.send("GET", SHOPS) for _ in range(2)]
        assert (first.status_code, second.status_code) == (200, 429)
        assert "GMT" in second.headers["retry-after"]
        rule = {"kind": "throttled", "retry_after": 315_360_000, "retry_after_as": "date"}
        await wire.http.post("/_sandbox/faults", json=rule)
        answer = await wire.send("POST", CANCEL, query={"shop_cipher": wire.shop.cipher}, json={})
        assert answer.json()["code"] == 36009004
        assert (await wire.http.get("/_sandbox/")).status_code == 200


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 10**400, "1", True])
def test_rules_made_in_python_have_the_same_bounds(value: Any) -> None:
    for options in ({"seconds": value}, {"retry_after": value}, {"nth": value}):
        with pytest.raises(ValueError, match=next(iter(options))):
            FaultRule("slow_body", **options)
    with pytest.raises(ValueError, match="per_second"):
        Rate(value)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -float("inf")])
def test_a_clock_is_not_moved_out_of_all_time(seconds: float) -> None:
    clock = MovableClock(lambda: NOW)
    with pytest.raises(ValueError, match="finite"):
        clock.advance(seconds)
    assert clock() == NOW


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b'{"order_id": 1e400}', "order_id must be a finite number"),
        (b'{"order_id": NaN}', "order_id must be a finite number"),
        (b'{"order_id": ' + DIGITS.encode() + b"}", "order_id must be a finite number"),
        (DEEPER.encode(), "deeper than 64"),
        (b'{"skus": ' + DEEP.encode() + b"}", "deeper than 64"),
    ],
)
async def test_the_api_rejects_what_no_json_of_its_own_could_hold(
    wire: Wire, body: bytes, word: str
) -> None:
    query = {"shop_cipher": wire.shop.cipher}
    answer = await wire.send("POST", CANCEL, query=query, content=body, headers=JSON)
    envelope = answer.json()
    assert (answer.status_code, envelope["code"]) == (400, 36009023)
    assert word in envelope["message"]


async def test_a_length_that_no_body_has_is_too_large(wire: Wire) -> None:
    """Also in digits that Python would not read as a number, or not as a short one."""
    for length in ("²", DIGITS):
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": CANCEL,
            "root_path": "",
            "query_string": b"",
            "headers": [(b"content-length", length.encode("latin-1"))],
        }
        await wire.app(scope, receive, send)
        assert sent[0]["status"] in (400, 413)
        assert json.loads(sent[1]["body"])["code"] in (36009004, 36009021)
