"""Examples: the keys of a list are distinct, and times are in order."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sandbox.test_every_endpoint import new_market, use_the_token_for, valid_arguments
from support import APP_KEY, APP_SECRET, CATEGORY_ASSET_CIPHER, SHOP_CIPHER
from test_every_operation import ENDPOINTS, OPERATIONS, method

from tiktok_shop_async import AsyncTikTokShop, RequestOptions
from tiktok_shop_async.pipeline.arguments.values import plain
from tiktok_shop_async.registry import find_operation
from tiktok_shop_async.sandbox import create_app
from tiktok_shop_async.spec.examples import Examples
from tiktok_shop_async.spec.shapes import webhook_shape, webhook_types
from tiktok_shop_async.testing import example_response

IS_KEY = re.compile(
    r"(^|_)(ids?|id_list|sku|barcode|tracking_number|tracking_no"
    r"|(batch|lot|order|package|promo|sample|skc|sku|spu)_codes?)$"
)
PAGED = sorted(name for name, operation in OPERATIONS.items() if operation.get("pagination"))
ORDERED = (
    ("create_time", "update_time"),
    ("create_time", "paid_time"),
    ("create_time", "rts_time"),
    ("create_time", "collection_time"),
    ("create_time", "delivery_time"),
    ("create_time", "cancel_time"),
    ("create_time", "request_cancel_time"),
    ("create_time", "last_update_time"),
    ("create_time", "expire_time"),
    ("create_time", "expiration_time"),
    ("create_time", "data_update_time"),
    ("create_time", "completion_time"),
    ("create_time", "shipping_due_time"),
    ("order_create_time", "create_time"),
    ("order_create_time", "update_time"),
    ("order_create_time", "order_delivery_time"),
    ("order_delivery_time", "settlement_time"),
    ("paid_time", "rts_time"),
    ("paid_time", "update_time"),
    ("rts_time", "collection_time"),
    ("rts_time", "delivery_time"),
    ("collection_time", "delivery_time"),
    ("pickup_time", "delivery_time"),
    ("delivery_time", "update_time"),
    ("request_cancel_time", "cancel_time"),
    ("cancel_time", "update_time"),
    ("ship_time", "arrived_time"),
    ("ship_time", "sign_time"),
    ("predicted_ship_time", "predicted_arrived_time"),
    ("statement_time", "payment_time"),
    ("start_time", "end_time"),
    ("begin_time", "end_time"),
    ("start_date", "end_date"),
    ("start_timestamp", "end_timestamp"),
    ("start_evaluation_time", "end_evaluation_time"),
    ("campaign_start_time", "campaign_end_time"),
    ("registration_start_time", "registration_end_time"),
    ("effective_start_time", "effective_end_time"),
    ("create_time", "live_end_time"),
)
"""Pairs of times: the first is not after the second."""


def lists_of_objects(value: Any, path: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Yield all items at each path, from all lists at that path."""
    found: dict[str, list[Any]] = {}

    def look(value: Any, path: str) -> None:
        if isinstance(value, dict):
            for name, child in value.items():
                look(child, f"{path}.{name}")
        elif isinstance(value, list):
            found.setdefault(path, []).extend(value)
            for child in value:
                look(child, path)

    look(value, path)
    yield from found.items()


def repeated(document: Any) -> Iterator[str]:
    """Yield the paths of keys that occur twice in the lists of a document."""
    for path, items in lists_of_objects(document):
        name = path.rpartition(".")[2]
        if IS_KEY.search(name):
            values = Counter(item for item in items if isinstance(item, (str, int)))
            yield from (f"{path}: {value}" for value, times in values.items() if times > 1)
        keys = {key for item in items if isinstance(item, dict) for key in item}
        for key in keys:
            if not IS_KEY.search(key):
                continue
            values = Counter(item[key] for item in items if isinstance(item.get(key), (str, int)))
            yield from (f"{path}.{key}: {value}" for value, times in values.items() if times > 1)


def objects(value: Any) -> Iterator[dict[str, Any]]:
    children = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict):
        yield value
    if isinstance(value, (dict, list)):
        for child in children:
            yield from objects(child)


def misordered(document: Any) -> Iterator[str]:
    for each in objects(document):
        for first, then in ORDERED:
            if each.get(first) is not None and each.get(then) is not None:
                before, after = str(each[first]), str(each[then])
                if before > after:  # of equal length, as all times of this century are
                    yield f"{first} {before} is after {then} {after}"


@pytest.mark.parametrize(("name", "version"), ENDPOINTS, ids=lambda value: value)
def test_an_example_has_no_key_twice_and_its_times_in_order(name: str, version: str) -> None:
    document = example_response(name, version=version)
    assert list(repeated(document["data"])) == []
    assert list(misordered(document["data"])) == []
    assert document == example_response(name, version=version)


@pytest.mark.parametrize("number", webhook_types())
def test_an_event_has_no_key_twice_and_its_times_in_order(number: int) -> None:
    data = Examples().make_object(webhook_shape(number)["data"])
    assert list(repeated(data)) == []
    assert list(misordered(data)) == []


@pytest.mark.parametrize("name", PAGED)
async def test_all_pages_together_have_no_key_twice(name: str) -> None:
    transport = httpx.ASGITransport(create_app(market=new_market()))
    paging = find_operation(name).pagination
    assert paging is not None
    version = OPERATIONS[name]["versions"][-1]
    given = valid_arguments(name, version)
    async with AsyncTikTokShop(
        APP_KEY,
        APP_SECRET,
        shop_cipher=SHOP_CIPHER,
        category_asset_cipher=CATEGORY_ASSET_CIPHER,
        transport=transport,
    ) as client:
        use_the_token_for(name, client)
        pager = method(client, name)(**given, options=RequestOptions(api_version=version))
        pages = [plain(page.data, "") async for page in pager.pages()]
    document: dict[str, list[Any]] = {}
    for page in pages:
        for path in paging.items:
            document.setdefault(path, []).extend(at(page, path))
    assert list(repeated(document)) == []
    assert list(misordered(pages)) == []


def at(page: Any, path: str) -> list[Any]:
    for step in path.split("."):
        page = (page or {}).get(step)
    return page or []


def test_notification_ids_are_of_no_other_process() -> None:
    program = (
        "from tiktok_shop_async.testing import signed_webhook\n"
        "from tiktok_shop_async.webhooks import OrderStatusChange\n"
        "for _ in range(50):\n"
        "    made = signed_webhook(OrderStatusChange, app_key='k', app_secret='s')\n"
        "    print(made.notification_id)\n"
    )
    ids = [
        notification_id
        for _ in range(2)
        for notification_id in subprocess.run(  # noqa: S603  this interpreter
            [sys.executable, "-c", program], check=True, capture_output=True, text=True
        ).stdout.split()
    ]
    assert len(set(ids)) == 100
    assert all(re.fullmatch(r"7\d{18}", notification_id) for notification_id in ids)
