"""Arguments become exactly the request that the service expects, or are rejected unsent."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from numbers import Integral
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import FakeShop, new_client

from tiktok_shop_async import AsyncTikTokShop, InvalidArgumentError, RequestOptions
from tiktok_shop_async._internal.model import model, wire_name
from tiktok_shop_async.models.return_refund import OrderLine, Sku
from tiktok_shop_async.pipeline.arguments.kinds import Time, convert
from tiktok_shop_async.pipeline.arguments.values import plain
from tiktok_shop_async.pipeline.call import Call
from tiktok_shop_async.pipeline.operation import Operation
from tiktok_shop_async.pipeline.request import build_request
from tiktok_shop_async.registry import operations
from tiktok_shop_async.resources._groups import GROUPS


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
    ("value", "expected"),
    [
        (Whole(first="a", parts=[Part(sku_id="1"), {"sku_id": "2", "quantity": None}]),
         {"1st": "a", "parts": [{"sku_id": "1"}, {"sku_id": "2", "quantity": None}]}),
        ({"nested": ({"deep": Part(sku_id="1", quantity=2)},)},
         {"nested": [{"deep": {"sku_id": "1", "quantity": 2}}]}),
        (Decimal("1E+2"), "100"),
        (date(2026, 11, 24), "2026-11-24"),
        (datetime(2026, 11, 24, tzinfo=UTC), 1795478400),
        (Reason.OUT_OF_STOCK, "seller_cancel_reason_out_of_stock"),
        (range(1, 3), [1, 2]),
    ],
)  # fmt: skip
def test_models_mappings_and_sequences_become_json(value: Any, expected: Any) -> None:
    assert plain(value, "body.value") == expected


def test_a_time_counts_milliseconds_where_the_api_does() -> None:
    since = datetime(2026, 11, 24, 0, 0, 0, 250_000, tzinfo=UTC)
    kind = {"since": Time.MILLISECONDS}
    assert convert({"since": since}, kind, "body.filters") == {"since": 1795478400250}


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
    with pytest.raises(InvalidArgumentError, match=r"operation .* is unknown"):
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


@pytest.mark.parametrize("empty", [[], (), {}.values(), set()])
@pytest.mark.parametrize("argument", ["order_line_item_ids", "skus", "order_line_list"])
async def test_an_empty_selection_never_cancels_a_whole_order(
    client: AsyncTikTokShop, shop: FakeShop, argument: str, empty: Any
) -> None:
    with pytest.raises(InvalidArgumentError, match="must not be empty") as caught:
        await client.return_refund.cancel_order(
            order_id="1", cancel_reason="x", **{argument: empty}
        )
    assert caught.value.argument == argument
    assert "Leave it out" in (caught.value.hint or "")
    assert not shop.requests


EMPTY_MEANS_ALL = {
    "affiliate.remove_live_products": {"product_ids"},
    "affiliate.remove_showcase_products": {"product_ids"},
    "fbt.cancel_fbt_mcf_order": {"consign_orders"},
    "fulfillment.create_packages": {"order_line_item_ids", "order_line_item", "order_list_ids"},
    "fulfillment.mark_package_as_shipped": {"order_line_item_ids", "order_line_list"},
    "fulfillment.schedule_package_handover": {"order_line_item_ids"},
    "fulfillment.uncombine_packages": {"order_ids"},
    "product.activate_products": {"listing_platforms"},
    "product.deactivate_products": {"listing_platforms"},
    "product.enable_strikethrough_prices": {"skus"},
    "product.update_stock_operation_settings": {"sku_ids"},
    "promotion.remove_activity_products": {
        "product_ids", "sku_ids", "benefit_product_ids", "exclude_product_ids"},
    "return_refund.calculate_refund": {"order_line_item_ids", "skus", "order_line_list"},
    "return_refund.cancel_order": {"order_line_item_ids", "skus", "order_line_list"},
    "return_refund.create_return": {"order_line_item_ids", "skus", "order_line_list"},
}  # fmt: skip


def test_these_operations_refuse_empty_selections() -> None:
    """Each of them does something to everything if no selection is given."""
    assert {
        operation.id: {path.removeprefix("body.") for path in operation.refuse_empty}
        for group in GROUPS
        for operation in operations(group)
        if operation.refuse_empty
    } == EMPTY_MEANS_ALL


async def test_an_iterator_is_refused_since_a_retry_would_find_it_empty(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    for once in (iter(["2"]), (line for line in ["2"]), map(str, [2])):
        with pytest.raises(InvalidArgumentError, match=r"list\(") as caught:
            await client.return_refund.cancel_order(
                order_id="1", cancel_reason="x", order_line_item_ids=once
            )
        assert caught.value.argument == "order_line_item_ids"
        with pytest.raises(InvalidArgumentError, match=r"list\("):
            await client.request(
                "POST",
                "/return_refund/202309/cancellations",
                body={"order_line_item_ids": iter(["2"])},
            )
    assert not shop.requests


@pytest.mark.parametrize(
    ("skus", "argument", "message"),
    [
        ([{"sku_id": "1", "quantity": 1.5}], "skus[0].quantity", "an integer, not 1.5"),
        ([{"sku_id": "1"}, {"quantity": True}], "skus[1].quantity", "an integer, not True"),
        ({"sku_id": "1", "quantity": 1}, "skus", "a list or another sequence, not"),
        ([{"sku_id": "1", "quantiy": 1}], "skus[0].quantiy", "Did you mean quantity?"),
        ([{"skuId": "1"}], "skus[0].skuId", "Did you mean sku_id?"),
        ([{"sku-id": "1"}], "skus[0].sku-id", "Did you mean sku_id?"),
        ([OrderLine(order_line_item_id="1")], "skus[0]", "sku_id, quantity, not"),
        ([Sku(sku_id="1", quantity=2.0)], "skus[0].quantity", "an integer, not 2.0"),
    ],
)
async def test_nested_input_is_checked_and_named_by_its_path(
    client: AsyncTikTokShop, shop: FakeShop, skus: Any, argument: str, message: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        await client.return_refund.cancel_order(order_id="1", cancel_reason="x", skus=skus)
    assert caught.value.argument == argument
    assert message in caught.value.message
    assert not shop.requests


@pytest.mark.parametrize(
    "sku",
    [
        {"sku_id": "1", "reason": "new"},  # resembles nothing
        {"sku_id": "1", "quantity": 1, "quantity_2": 3},  # the known one is given too
        {"sku_id": "1", "parts": [{"anything": [None, 1.5, True]}]},
        {"sku_id": "1", "quantity": None},
    ],
)
async def test_keys_that_the_catalogue_lacks_are_sent_as_given(
    client: AsyncTikTokShop, shop: FakeShop, sku: dict[str, Any]
) -> None:
    """The service may be newer than the catalogue."""
    shop.answer({})
    await client.return_refund.cancel_order(order_id="1", cancel_reason="x", skus=[sku])
    assert shop.last_json["skus"] == [sku]


async def test_extra_parts_and_raw_calls_are_not_checked_against_the_catalogue(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer({})
    odd = {"skus": {"quantiy": 1.5}, "order_line_item_ids": [], "order_id": True}
    await client.return_refund.cancel_order(
        order_id="1", cancel_reason="x", options=RequestOptions(extra_body=odd)
    )
    assert shop.last_json == odd | {"cancel_reason": "x"}
    await client.request("POST", "/return_refund/202309/cancellations", body=odd)
    assert shop.last_json == odd
    for value in (float("nan"), b"bytes", object(), datetime(2026, 1, 1)):
        with pytest.raises(InvalidArgumentError):
            await client.request("POST", "/return_refund/202309/cancellations", body={"x": value})
    assert len(shop.requests) == 2


async def test_a_value_that_the_catalogue_does_not_know_passes(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    shop.answer({})
    await client.order.get_order_list(page_size=1, order_status="NEWER_THAN_THE_CATALOGUE")
    assert shop.last_json == {"order_status": "NEWER_THAN_THE_CATALOGUE"}


async def test_integers_of_other_libraries_count_as_integers(
    client: AsyncTikTokShop, shop: FakeShop
) -> None:
    """Such as numpy's, which register as `numbers.Integral`."""

    class Int64:
        def __int__(self) -> int:
            return 7

    Integral.register(Int64)
    shop.answer({})
    sku: Any = {"sku_id": Int64(), "quantity": Int64()}
    await client.return_refund.cancel_order(order_id="1", cancel_reason="x", skus=[sku])
    assert shop.last_json["skus"] == [{"sku_id": "7", "quantity": 7}]


async def test_an_error_says_what_was_given_and_what_is_accepted(client: AsyncTikTokShop) -> None:
    for value, accepted in {
        1.5: "create_time_ge must be an aware datetime or Unix seconds as an integer, not 1.5.",
        date(2026, 11, 24): "as an integer, not datetime.date(2026, 11, 24).",
        datetime(2026, 11, 24): "must be an aware datetime, not datetime.datetime(2026, 11, 24",
    }.items():
        with pytest.raises(InvalidArgumentError) as caught:
            await client.order.get_order_list(page_size=1, create_time_ge=value)
        assert accepted in str(caught.value)
    with pytest.raises(InvalidArgumentError, match=r"Decimal\('9\.99'\) or text"):
        await client.return_refund.approve_return(
            return_id="1",
            decision="OFFER_PARTIAL_REFUND",
            partial_refund={"currency": "USD", "amount": 9.99},
        )


async def test_a_hint_never_leads_to_another_id(client: AsyncTikTokShop) -> None:
    """An id that became a float has lost digits: its text may be the id of another order."""
    wrong: Any = float(576461413248021237)
    with pytest.raises(InvalidArgumentError, match="cannot hold all digits") as caught:
        await client.return_refund.cancel_order(order_id=wrong, cancel_reason="x")
    assert "Decimal" not in str(caught.value)


async def test_a_hint_splits_text_at_its_commas(client: AsyncTikTokShop) -> None:
    ids: Any = "1, 2"
    with pytest.raises(InvalidArgumentError, match=r"Pass \['1', '2'\]"):
        await client.order.get_order_detail(ids=ids)


async def test_bytes_as_text_get_a_hint(client: AsyncTikTokShop) -> None:
    ids: Any = [b"1"]
    with pytest.raises(InvalidArgumentError, match=r"Call \.decode\(\)"):
        await client.order.get_order_detail(ids=ids)


@pytest.mark.parametrize("value", [" 1", "1 ", "\t1"])
async def test_an_error_about_a_header_names_it(client: AsyncTikTokShop, value: str) -> None:
    options = RequestOptions(extra_headers={"X-Trace": value})
    with pytest.raises(InvalidArgumentError, match="'X-Trace'"):
        await client.order.get_order_detail(ids=["1"], options=options)


@pytest.mark.parametrize("name", ["user-agent", "User-Agent", "ACCEPT"])
async def test_an_extra_header_replaces_ours(
    client: AsyncTikTokShop, shop: FakeShop, name: str
) -> None:
    shop.answer({})
    options = RequestOptions(extra_headers={"x-trace": "0", name: "mine", "X-Trace": "1"})
    await client.return_refund.cancel_order(order_id="1", cancel_reason="x", options=options)
    assert shop.last.headers.get_list(name) == ["mine"]
    assert shop.last.headers.get_list("x-trace") == ["1"]
    names = [header.lower() for header, _ in shop.last.headers.raw]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "name",
    [
        "Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Content-Type",
        "Expect", "Host", "Keep-Alive", "TE", "Transfer-Encoding", "Upgrade", "X-TTS-Access-Token",
    ],
)  # fmt: skip
async def test_a_header_that_frames_or_signs_the_request_cannot_be_replaced(
    client: AsyncTikTokShop, shop: FakeShop, name: str
) -> None:
    options = RequestOptions(extra_headers={name: "identity"})
    with pytest.raises(InvalidArgumentError, match=name) as caught:
        await client.return_refund.cancel_order(order_id="1", cancel_reason="x", options=options)
    assert caught.value.argument == "extra_headers"
    assert not shop.requests


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.binary(max_size=4)
    | st.decimals()
    | st.dates()
    | st.datetimes(timezones=st.none() | st.just(UTC))
    | st.sampled_from([Reason.OUT_OF_STOCK, object()])
    | st.just(5000).map(lambda digits: 10**digits)  # too long to be written out
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(iter)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(
            st.sampled_from(
                ["sku_id", "quantity", "quantiy", "skuId", "order_line_item_id", 1, ""]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@given(
    operation=st.sampled_from(
        [each for group in GROUPS for each in operations(group) if each.arguments]
    ),
    value=ANYTHING,
    data=st.data(),
)
def test_anything_at_all_is_sent_as_json_or_rejected_and_never_read_twice(
    operation: Operation, value: object, data: st.DataObject
) -> None:
    """A second attempt is made of the same arguments, and must be the same request."""
    path = data.draw(st.sampled_from(sorted(operation.arguments)))
    place, _, name = path.partition(".")
    required = attrs.evolve(operation, required=frozenset())
    template = {part[1:-1]: "1" for part in operation.path.split("/") if part[0:1] == "{"}
    template.pop("version")
    arguments: dict[str, dict[str, Any]] = {"path": template, "query": {}, "body": {}}
    arguments[place][name] = value
    call = Call(operation=required, options=RequestOptions(), **arguments)
    version = operation.only_in.get(path, operation.versions)[-1]
    with ExitStack() as files:
        try:
            first = build_request(call, version, files)
        except InvalidArgumentError:
            return
        second = build_request(call, version, files)
    assert (first.target, first.query) == (second.target, second.query)
    if operation.body == "multipart":
        return
    assert first.body == second.body
    if first.body:
        body = json.loads(first.signed_body)
        assert (name in body) is (place == "body" and value is not None)
        kind = operation.arguments[path]
        if isinstance(kind, type):
            assert type(body.get(name, kind())) is kind
