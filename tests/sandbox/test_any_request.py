"""Whatever is sent, the sandbox answers with an envelope, and its orders stay possible."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.parse import urlencode

import pytest
from helpers.sandbox.valid_calls import VALID_CALLS
from helpers.sandbox.wire import (
    CANCEL,
    DEMO_ACCESS_TOKEN,
    DEMO_APP_KEY,
    DEMO_APP_SECRET,
    DEMO_SHOP_CIPHER,
    ORDERS,
    PAID,
    SEARCH_CANCELLATIONS,
    SEARCH_ORDERS,
    UNPAID,
    Wire,
    new_wire,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from test_every_operation import OPERATIONS

NAMES = (
    "order_id",
    "cancel_reason",
    "skus",
    "order_line_item_ids",
    "order_line_list",
    "order_ids",
    "order_status",
    "create_time_ge",
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
BODIES = st.dictionaries(st.sampled_from(NAMES) | st.text(), VALUES, max_size=5)


@settings(max_examples=60)
@given(
    path=st.sampled_from((CANCEL, SEARCH_ORDERS, SEARCH_CANCELLATIONS)),
    body=BODIES,
    query=st.dictionaries(
        st.sampled_from(("page_size", "page_token", "sort_field", "sort_order")),
        st.text(st.characters(exclude_categories=["Cs"])),
    ),
)
def test_any_body_and_query_get_an_envelope(
    path: str, body: dict[str, Any], query: dict[str, str]
) -> None:
    """An exception of the sandbox would reach this test through the transport."""

    async def send() -> Any:
        wire = new_wire(orders=5)
        async with wire.http:
            return await wire.call("POST", path, query=query, json=body)

    answer = asyncio.run(send())
    assert answer.keys() == {"code", "message", "request_id", "data"}
    assert (answer["data"] is None) == (answer["code"] != 0)


ODD: dict[type, list[Any]] = {
    str: ["", "-1", "9" * 5000, "\ud800", "\x00", "\u0663", "http://[x", "9" * 19 + ".99"],
    int: [0, -1, 2**63 - 1, -(2**63)],
    list: [[]],
    dict: [{}, None],
}


def odd_variants(value: Any) -> Iterator[Any]:
    """Yield copies of some JSON in which one value is an odd one of the same type."""
    yield from ODD.get(type(value), ())
    if not isinstance(value, (dict, list)):
        return
    for key, child in value.items() if isinstance(value, dict) else enumerate(value):
        for odd in odd_variants(child):
            changed = value.copy()
            changed[key] = odd
            yield changed


@pytest.mark.parametrize("name", sorted(VALID_CALLS))
async def test_odd_values_of_the_right_type_get_an_envelope(name: str) -> None:
    """In each field of a valid body, one at a time; the log can be read after that."""
    operation = OPERATIONS[name]
    if operation["content_type"] != "application/json":
        return
    wire = new_wire(orders=40, pending_share=0.0)
    async with wire.http:
        given = VALID_CALLS[name](wire.shop, operation["versions"][-1])
        path = operation["path"].replace("{version}", operation["versions"][-1])
        path = path.format(**{part: given[part] for part in operation["path_params"]})
        query = {part: given[part] for part in operation["query"] if part in given}
        body = {part: given[part] for part in given if part in operation["body"]}
        for content in map(json.dumps, (body, *odd_variants(body))):
            headers = {"content-type": "application/json"}
            answer = await wire.call(
                operation["method"], path, query=query, content=content, headers=headers
            )
            assert answer.keys() == {"code", "message", "request_id", "data"}
        assert (await wire.http.get("/_sandbox/requests")).status_code == 200
        assert (await wire.http.get("/_sandbox/")).status_code == 200


async def test_bytes_that_are_no_text_are_signed_as_they_came(wire: Wire) -> None:
    """A query need not be UTF-8; its bytes are signed decoded from the percent signs, no more."""
    now = str(int(wire.clock())).encode()
    parameters = {
        b"app_key": DEMO_APP_KEY.encode(),
        b"ids": b"\xff",
        b"shop_cipher": DEMO_SHOP_CIPHER.encode(),
        b"timestamp": now,
    }
    secret = DEMO_APP_SECRET.encode()
    text = ORDERS.encode() + b"".join(name + value for name, value in parameters.items())
    sign = hmac.new(secret, secret + text + secret, hashlib.sha256).hexdigest()
    query = urlencode({**parameters, b"sign": sign})
    headers = {"x-tts-access-token": DEMO_ACCESS_TOKEN}
    answer = await wire.http.get(f"{ORDERS}?{query}", headers=headers)
    assert answer.json()["data"] == {"orders": []}


@pytest.mark.parametrize("seed", range(3))
async def test_no_sequence_of_cancellations_leads_to_an_impossible_order(seed: int) -> None:
    """Whole orders and parts, time passing in between, the same order again and again."""
    wire = new_wire(orders=12, seed=seed, pending_share=0.4)
    random = Random(seed)  # noqa: S311
    async with wire.http:
        for _ in range(150):
            order = random.choice(list(wire.shop.orders.values()))
            line = random.choice(order.lines)
            selection: dict[str, Any] = random.choice(
                (
                    {},
                    {"order_line_item_ids": [line.id]},
                    {"skus": [{"sku_id": line.sku.id, "quantity": 1}]},
                )
            )
            before = order.status
            answer = await wire.cancel(order.id, random.choice((PAID, UNPAID)), **selection)
            assert before not in ("IN_TRANSIT", "COMPLETED") or answer["code"] == 25001001
            wire.clock.now += random.random()
        wire.clock.now += 60
        assert max(wire.shop.times_cancelled.values()) == 1
        for order in wire.shop.orders.values():
            assert (order.status == "CANCELLED") == order.cancelled
