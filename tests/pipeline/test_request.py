"""Arguments become exactly the request that the service expects, or are refused unsent."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from support import FakeShop, new_client

from tiktok_shop_async import AsyncTikTokShop, InvalidArgumentError, RequestOptions
from tiktok_shop_async._model import model, wire_name
from tiktok_shop_async.pipeline.values import ValueConverter


class Reason(StrEnum):
    OUT_OF_STOCK = "seller_cancel_reason_out_of_stock"


@model
class Part:
    sku_id: str
    quantity: int | None = None


@model
class Whole:
    first: str | None = wire_name("1st", default=None)
    parts: list[Part | dict[str, Any]] | None = None


async def test_a_body_holds_what_was_given_and_nothing_else(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer({})
    await client.return_refund.cancel_order(
        order_id="1", cancel_reason=Reason.OUT_OF_STOCK, order_line_item_ids=("2", "3"), skus=None
    )
    assert shop.last.content == (
        b'{"order_id":"1","cancel_reason":"seller_cancel_reason_out_of_stock",'
        b'"order_line_item_ids":["2","3"]}'
    )
    assert shop.last.headers["content-type"] == "application/json"
    assert shop.last.headers["content-length"] == str(len(shop.last.content))


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (Whole(first="a", parts=[Part(sku_id="1"), {"sku_id": "2", "quantity": None}]),
         {"1st": "a", "parts": [{"sku_id": "1"}, {"sku_id": "2", "quantity": None}]}),
        ({"nested": ({"deep": Part(sku_id="1", quantity=2)},)},
         {"nested": [{"deep": {"sku_id": "1", "quantity": 2}}]}),
        (Decimal("1E+2"), "100"),
        (date(2026, 11, 24), "2026-11-24"),
        (datetime(2026, 11, 24, tzinfo=UTC), 1795478400),
        (Reason.OUT_OF_STOCK, "seller_cancel_reason_out_of_stock"),
        ((number for number in (1, 2)), [1, 2]),
    ],
)  # fmt: skip
def test_models_mappings_and_sequences_become_json(value: Any, plain: Any) -> None:
    assert ValueConverter(frozenset()).plain(value, "body.value") == plain


def test_a_time_counts_milliseconds_where_the_api_does() -> None:
    values = ValueConverter(frozenset({"body.filters.since"}))
    since = datetime(2026, 11, 24, 0, 0, 0, 250_000, tzinfo=UTC)
    assert values.plain({"since": since}, "body.filters") == {"since": 1795478400250}


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ({"order_id": b"1"}, "order_id"),
        ({"order_id": datetime(2026, 1, 1)}, "order_id"),
        ({"order_id": None}, "order_id"),
        ({"order_line_item_ids": "123"}, "order_line_item_ids"),
        ({"order_id": {1: "a key that is no text"}}, "order_id"),
    ],
)
async def test_what_cannot_be_sent_is_refused_with_the_argument_named(
    client: AsyncTikTokShop, shop: FakeShop, arguments: dict[str, Any], argument: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await client.return_refund.cancel_order(
            **({"order_id": "1", "cancel_reason": "x"} | arguments)
        )
    assert caught.value.operation == "return_refund.cancel_order"
    assert caught.value.argument == argument
    assert not shop.requests


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
async def test_values_without_json_are_refused(
    client: AsyncTikTokShop, shop: FakeShop, value: Any
) -> None:
    with pytest.raises(InvalidArgumentError, match=r"return_refund\.cancel_order"):
        await client.return_refund.cancel_order(order_id=value, cancel_reason="x")
    assert not shop.requests


@pytest.mark.parametrize("return_id", ["", ".", "..", "1/2", None])
async def test_a_path_parameter_cannot_lead_elsewhere(
    client: AsyncTikTokShop, shop: FakeShop, return_id: Any
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await client.return_refund.approve_return(return_id=return_id, decision="APPROVE_REFUND")
    assert caught.value.argument == "return_id"
    assert not shop.requests


async def test_a_list_in_the_query_is_one_comma_joined_value(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer({})
    await client.order.get_order_detail(ids=["1", "2"])
    assert shop.last.url.raw_path.startswith(b"/order/202507/orders?ids=1%2C2&")


async def test_page_tokens_survive_the_query(client: AsyncTikTokShop, shop: FakeShop) -> None:
    shop.answer({})
    await client.return_refund.search_cancellations(page_token="a+b/c==&d e")
    assert b"page_token=a%2Bb%2Fc%3D%3D%26d%20e&" in shop.last.url.raw_path
    assert shop.last.url.params["page_token"] == "a+b/c==&d e"


async def test_the_newest_version_is_the_default_and_others_can_be_chosen(shop: FakeShop) -> None:
    shop.answer({})
    chosen = {"return_refund.cancel_order": "202309"}
    order = {"order_id": "1", "cancel_reason": "x"}
    async with new_client(shop) as newest, new_client(shop, api_versions=chosen) as older:
        await newest.return_refund.cancel_order(**order)
        await older.return_refund.cancel_order(**order)
        await older.return_refund.cancel_order(
            **order, options=RequestOptions(api_version="202602")
        )
    versions = [request.url.path.split("/")[2] for request in shop.requests]
    assert versions == ["202602", "202309", "202602"]


async def test_an_unknown_version_is_refused(client: AsyncTikTokShop, shop: FakeShop) -> None:
    with pytest.raises(InvalidArgumentError, match="202309, 202602") as caught:
        await client.return_refund.cancel_order(
            order_id="1", cancel_reason="x", options=RequestOptions(api_version="202401")
        )
    assert caught.value.argument == "api_version"
    assert not shop.requests


@pytest.mark.parametrize("api_versions", [{"return_refund.cancel_ordre": "202309"}, {"x": "1"}])
def test_an_unknown_operation_in_api_versions_is_refused(api_versions: dict[str, str]) -> None:
    with pytest.raises(InvalidArgumentError, match="no operation"):
        new_client(api_versions=api_versions)


def test_an_unknown_version_in_api_versions_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="202309, 202602"):
        new_client(api_versions={"return_refund.cancel_order": "202401"})


async def test_an_argument_that_the_version_lacks_is_refused(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    with pytest.raises(InvalidArgumentError, match=r"202309 has no .*202602") as caught:
        await client.return_refund.calculate_refund(
            order_id="1",
            request_type="REFUND",
            reason_name="x",
            order_line_list=[{"order_line_item_id": "2"}],
            options=RequestOptions(api_version="202309"),
        )
    assert caught.value.argument == "order_line_list"
    assert not shop.requests


async def test_extra_parts_are_added_and_signed(client: AsyncTikTokShop, shop: FakeShop) -> None:
    shop.answer({})
    await client.return_refund.cancel_order(
        order_id="1",
        cancel_reason="x",
        options=RequestOptions(
            extra_query={"locale": "de", "flags": [1, True]},
            extra_headers={"X-Trace": "7"},
            extra_body={"note": None, "cancel_reason": "y"},
        ),
    )
    assert shop.last.url.params["flags"] == "1,true"
    assert shop.last.headers["x-trace"] == "7"
    assert shop.last_json == {"order_id": "1", "cancel_reason": "y", "note": None}


@pytest.mark.parametrize(
    "options",
    [
        RequestOptions(extra_query={"sign": "x"}),
        RequestOptions(extra_query={"when": {"not": "flat"}}),
        RequestOptions(extra_headers={"Host": "elsewhere"}),
        RequestOptions(extra_headers={"X-Split": "a\r\nX-Evil: b"}),
        RequestOptions(extra_headers={"X Y": "a"}),
        RequestOptions(idempotency_key="cancel_order takes none"),
    ],
)
async def test_options_that_would_break_the_request_are_refused(
    client: AsyncTikTokShop, shop: FakeShop, options: RequestOptions
) -> None:
    with pytest.raises(InvalidArgumentError):
        await client.return_refund.cancel_order(order_id="1", cancel_reason="x", options=options)
    assert not shop.requests


async def test_an_idempotency_key_goes_where_the_operation_takes_it(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer({})
    options = RequestOptions(idempotency_key="once")
    await client.return_refund.approve_cancellation(cancel_id="1", options=options)
    assert shop.last.url.params["idempotency_key"] == "once"
    with pytest.raises(InvalidArgumentError):
        await client.return_refund.approve_cancellation(
            cancel_id="1", options=RequestOptions(idempotency_key="x" * 256)
        )


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("", {}),
        ("a" * 256, {}),
        (5, {}),
        (None, {"idempotency_key": ""}),
        (None, {"extra_query": {"idempotency_key": ""}}),
        (None, {"extra_query": {"idempotency_key": None}}),
        (None, {"extra_body": {"idempotency_key": None}}),
    ],
)
async def test_an_idempotency_key_that_is_not_valid_is_rejected_wherever_it_is_given(
    client: AsyncTikTokShop, shop: FakeShop, argument: Any, options: dict[str, Any]
) -> None:
    """It would be sent as it is, and the call be repeated as if it had a key."""
    with pytest.raises(InvalidArgumentError, match=r"idempotency_key|extra_"):
        await client.return_refund.approve_cancellation(
            cancel_id="1", idempotency_key=argument, options=RequestOptions(**options)
        )
    assert not shop.requests


async def test_idempotency_keys_that_differ_are_rejected_before_sending(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer({})
    options = RequestOptions(idempotency_key="one", extra_query={"idempotency_key": "other"})
    approve = client.return_refund.approve_cancellation
    with pytest.raises(InvalidArgumentError) as caught:
        await approve(cancel_id="1", options=options)
    for part in ("'one' in options.idempotency_key", "'other' in options.extra_query"):
        assert part in str(caught.value)
    with pytest.raises(InvalidArgumentError, match="differ"):
        await approve(
            cancel_id="1", idempotency_key="two", options=RequestOptions(idempotency_key="one")
        )
    assert not shop.requests
    same = RequestOptions(idempotency_key="one", extra_query={"idempotency_key": "one"})
    await approve(cancel_id="1", idempotency_key="one", options=same)
    assert shop.last.url.params.get_list("idempotency_key") == ["one"]
