"""Typed decoding of an order list of 650 KB."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from tiktok_shop_api.generated.models.get_order_list_response import GetOrderListResponse

from tiktok_shop_async.models.order import OrderPage
from tiktok_shop_async.protocol.decoding import decode_data, read_envelope

from .documents import order_list
from .harness import OURS, PEER, Goal, Table, faster, medians

SIZE = 650_000
REPEAT = 5
ROUNDS = 41
"""Many and short: what else the machine does falls on some rounds, and the median leaves it out."""
UNTYPED = "msgspec, untyped"


async def measure() -> list[Table]:
    gc.collect()
    gc.freeze()  # what earlier cases left behind is no part of this one
    return [
        await _table("Typed decoding of 650 KB of orders", order_list(SIZE)),
        await _table(
            "Typed decoding of the same orders, with null for lists",
            order_list(SIZE, null_lists=True),
        ),
    ]


async def _table(title: str, body: bytes) -> Table:
    decoders: dict[str, Callable[[bytes], Any]] = {
        UNTYPED: msgspec.json.decode,
        OURS: _ours,
        PEER: lambda body: GetOrderListResponse.from_dict(json.loads(body)),
    }
    notes = []
    for name, decode in list(decoders.items()):
        try:
            decode(body)
        except Exception as error:  # whatever it is, it is the result
            notes.append(f"{name} raises {type(error).__name__}: {error}")
            del decoders[name]

    async def milliseconds(decode: Callable[[bytes], Any]) -> float:
        start = time.perf_counter()
        for _ in range(REPEAT):
            decode(body)
        return 1e3 * (time.perf_counter() - start) / REPEAT

    figures = await medians(
        {name: partial(milliseconds, decode) for name, decode in decoders.items()}, ROUNDS
    )
    return Table(title, "ms", figures, [Goal(OURS, UNTYPED, 1.2), faster(OURS, PEER, 4)], notes)


def _ours(body: bytes) -> OrderPage:
    envelope = read_envelope(body, OrderPage)
    assert envelope is not None
    orders, issues = decode_data(OrderPage, envelope.data)
    assert not issues
    return orders
