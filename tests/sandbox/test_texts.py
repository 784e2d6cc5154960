"""One text where a collection of texts is expected is an error, not a list of its letters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sandbox.wire import PAID, Wire

from tiktok_shop_async.errors import InvalidArgumentError
from tiktok_shop_async.sandbox import AccessToken, create_app
from tiktok_shop_async.sandbox.state.records import order_record
from tiktok_shop_async.testing import record, replay

FILE = Path("never-written.json")

TAKES_TEXTS: dict[str, Callable[[Any], object]] = {
    "allowed_hosts": lambda value: create_app(orders=0, allowed_hosts=value),
    "shop_ciphers": lambda value: AccessToken(value="v", app_key="k", shop_ciphers=value),
    "scopes": lambda value: AccessToken(value="v", app_key="k", scopes=value),
    "secret_fields": lambda value: record(FILE, secret_fields=value),
    "personal_fields": lambda value: record(FILE, personal_fields=value),
    "ignore": lambda value: replay(FILE, ignore=value),
}


@pytest.mark.parametrize("argument", TAKES_TEXTS)
@pytest.mark.parametrize("value", ["api.example", "", b"api.example", 7, [7], [b"x"]])
def test_only_an_iterable_of_texts_is_accepted(argument: str, value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=argument) as caught:
        TAKES_TEXTS[argument](value)
    assert "api.example" not in str(caught.value)


async def test_one_id_for_line_items_is_rejected_and_changes_nothing(wire: Wire) -> None:
    order = wire.shop.orders[wire.order_ids("AWAITING_SHIPMENT")[0]]
    before = order_record(order)
    for act in (
        lambda ids: wire.shop.request_cancellation(order.id, PAID, ids),
        lambda ids: wire.shop.create_package(order.id, ids),
        lambda ids: wire.shop.ship(order.id, ids),
    ):
        with pytest.raises(InvalidArgumentError, match="line_item_ids must be an iterable of"):
            act(order.lines[0].id)
    assert order_record(order) == before
