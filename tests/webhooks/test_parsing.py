"""Parsing of bodies to events, without a rejection of real ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, get_type_hints

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_shop_async import WebhookBodyError, webhooks
from tiktok_shop_async.spec.examples import Examples
from tiktok_shop_async.spec.shapes import webhook_shape, webhook_types
from tiktok_shop_async.webhooks import (
    CancellationStatusChange,
    CreatorDeauthorization,
    NewMessage,
    OrderStatusChange,
    PackageUpdate,
    ProductStatusChange,
    RecipientAddressUpdate,
    UnknownEvent,
    WebhookEvent,
    Webhooks,
)
from tiktok_shop_async.webhooks.changes import change_of
from tiktok_shop_async.webhooks.events import CLASS_OF
from tiktok_shop_async.webhooks.kinds import event_class

WEBHOOKS = Webhooks("abcdef", "123")
ENVELOPE = {
    "type": 1,
    "tts_notification_id": "7380066284010030890",
    "shop_id": "7495540735365777507",
    "timestamp": 1718305585,
}
ORDER = {"order_id": "1", "order_status": "UNPAID", "is_on_hold_order": True, "update_time": 5}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def parse(**delivery: Any) -> WebhookEvent:
    return WEBHOOKS.parse(json.dumps({**ENVELOPE, "data": ORDER, **delivery}).encode())


def leaves(model: Any) -> Iterator[Any]:
    """Yield what a model and all below it hold."""
    for field in attrs.fields(type(model)):
        value = getattr(model, field.name)
        for each in value if isinstance(value, list) else [value]:
            if attrs.has(type(each)):
                yield from leaves(each)
            else:
                yield each


def test_there_is_a_class_for_each_of_the_44_events() -> None:
    assert set(webhook_types()) == set(CLASS_OF)
    assert len(CLASS_OF) == 44
    for number in webhook_types():
        kind, shape = event_class(number), webhook_shape(number)
        assert kind is not None
        assert (number, shape["event_type"]) == (kind.TYPE, kind.EVENT_TYPE)
        assert getattr(webhooks, kind.__name__) is kind
        assert kind.__name__ in webhooks.__all__
        fields = attrs.fields_dict(get_type_hints(kind)["data"])
        assert set(fields) == set(shape["data"])
        assert "raw" not in repr(kind(id="1", data=None, raw=b"secret"))


@pytest.mark.parametrize("number", webhook_types())
def test_an_example_of_each_event_fits_its_class(number: int) -> None:
    """Field by field, at any depth, and without anything to remark."""
    data = Examples().make_object(webhook_shape(number)["data"])
    event = parse(type=number, data=data)
    assert type(event) is event_class(number)
    assert event.issues == ()
    assert None not in list(leaves(event.data))
    names = {
        field.name: field.metadata.get("wire_name", field.name)
        for field in attrs.fields(type(event.data))
    }
    for name, wire in names.items():
        value = getattr(event.data, name)
        if isinstance(value, (str, int)):
            assert value == data[wire]


def test_the_envelope_is_there() -> None:
    event = parse()
    assert isinstance(event, OrderStatusChange)
    assert (event.id, event.type, event.shop_id) == (
        "7380066284010030890",
        1,
        "7495540735365777507",
    )
    assert event.sent_at is not None
    assert event.sent_at.isoformat() == "2024-06-13T19:06:25+00:00"
    assert event.data.order_id == "1"
    assert event.data.is_on_hold_order is True
    assert event.json()["data"] == ORDER
    assert event.app_key is None
    creators = parse(type=20, creator_open_id="c", shop_id=None, data={"cancel_time": "5"})
    assert isinstance(creators, CreatorDeauthorization)
    assert (creators.creator_open_id, creators.shop_id) == ("c", None)


def test_an_unknown_kind_keeps_everything() -> None:
    event = parse(type=999, data={"a": [1, {"b": None}]}, more="there")
    assert isinstance(event, UnknownEvent)
    assert (event.type, event.shop_id) == (999, ENVELOPE["shop_id"])
    assert event.data == {"a": [1, {"b": None}]}
    assert event.json()["more"] == "there"
    assert isinstance(parse(type=None), UnknownEvent)
    assert isinstance(WEBHOOKS.parse(b"{}"), UnknownEvent)


def test_numbers_and_text_stand_for_each_other() -> None:
    event = parse(type="1", shop_id=7495540735365777507, timestamp="1718305585")
    assert isinstance(event, OrderStatusChange)
    assert (event.shop_id, event.timestamp) == ("7495540735365777507", 1718305585)
    product = parse(type=5, data={"product_id": "1729", "update_time": "7"})
    assert isinstance(product, ProductStatusChange)
    assert (product.data.product_id, product.data.update_time) == (1729, 7)
    assert product.issues == ()


def test_mismatches_are_none_and_listed() -> None:
    event = parse(
        shop_id=[1], data={"order_id": {"a": 1}, "order_status": None, "update_time": "soon"}
    )
    assert isinstance(event, OrderStatusChange)
    assert event.shop_id is None
    assert attrs.astuple(event.data) == (None, None, None, None)
    assert {each.path for each in event.issues} == {"shop_id", "data.order_id", "data.update_time"}
    packages = parse(type=4, data={"package_list": [{"package_id": "1"}, 7], "more": 1})
    assert isinstance(packages, PackageUpdate)
    assert [each.package_id for each in packages.data.package_list] == ["1"]
    assert [each.path for each in packages.issues] == ["data.package_list[1]"]


@pytest.mark.parametrize("data", [None, {}, json.dumps(ORDER)])
def test_data_may_be_missing_or_encoded_twice(data: Any) -> None:
    event = parse(data=data)
    assert isinstance(event, OrderStatusChange)
    assert event.issues == ()
    assert event.data.order_id == ("1" if data else None)


@pytest.mark.parametrize("data", [[], "text", 7])
def test_data_of_another_type_is_remarked(data: Any) -> None:
    event = parse(data=data)
    assert isinstance(event, OrderStatusChange)
    assert event.data.order_id is None
    assert [each.path for each in event.issues] == ["data"]


def test_ids_stay_the_same_for_the_same_delivery() -> None:
    """Also where the platform gives none, or one that no database takes."""
    address = {"type": 3, "shop_id": "7", "timestamp": 5, "data": {"order_id": "1"}}
    body = json.dumps(address).encode()
    event = WEBHOOKS.parse(body)
    assert isinstance(event, RecipientAddressUpdate)
    assert event.id == WEBHOOKS.parse(body).id
    assert event.id != WEBHOOKS.parse(body + b" ").id
    assert event.id.startswith("sha256:")
    for odd in ("", "a\0b", "\ud800", "é"):
        assert parse(tts_notification_id=odd).id.startswith("sha256:")
    assert WEBHOOKS.parse(body, id="mine", app_key="app").id == "mine"


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"7", b"[]", b'"text"', b"{", b"\xff", b"<html>", b"[" * 100_000, b"{}{}"],
)
def test_a_body_that_is_not_an_object_is_rejected(body: bytes) -> None:
    with pytest.raises(WebhookBodyError):
        WEBHOOKS.parse(body)


@pytest.mark.parametrize(
    "body",
    [
        b'\xef\xbb\xbf{"type":1,"data":{"order_id":"1"}}',
        b'{"type":1,"data":{"order_id":"1","x":"\\ud800"}}',
        b'{"type":1,"data":{"order_id":"1","x":NaN}}',
        b'{"type":1,"data":{"order_id":"1","x":"\xff"}}',
        b'{"type":7,"type":1,"data":{"order_id":"1"}}',
    ],
)
def test_unusual_documents_are_decoded(body: bytes) -> None:
    event = WEBHOOKS.parse(body)
    assert isinstance(event, OrderStatusChange)
    assert event.data.order_id == "1"


def test_depth_is_no_other_error() -> None:
    for depth in (100, 100_000):
        deep = b'{"type":14,"tts_notification_id":"5","data":%s1%s}' % (
            b'{"content":' * depth,
            b"}" * depth,
        )
        with suppress(WebhookBodyError):
            event = WEBHOOKS.parse(deep)
            assert isinstance(event, NewMessage)
            assert event.id == "5"


@given(st.binary())
def test_any_bytes_are_an_event_or_no_delivery(body: bytes) -> None:
    with suppress(WebhookBodyError):
        WEBHOOKS.parse(body)


@given(st.sampled_from([*ENVELOPE, "data"]), JSON)
def test_any_odd_field_leaves_an_event(name: str, value: Any) -> None:
    event = parse(**{name: value})
    assert event.id == ENVELOPE["tts_notification_id"] or name == "tts_notification_id"
    change_of(event)
    repr(event)


@given(st.sampled_from(webhook_types()), st.data())
def test_any_odd_field_of_any_event_leaves_its_class(number: int, data: st.DataObject) -> None:
    shape = webhook_shape(number)["data"]
    name = data.draw(st.sampled_from([*shape]))
    event = parse(type=number, data={**Examples().make_object(shape), name: data.draw(JSON)})
    assert type(event) is event_class(number)
    change_of(event)


def change(**delivery: Any) -> str | None:
    return change_of(parse(**delivery))


def test_a_change_is_named_by_its_fields() -> None:
    """Not by the words that webhooks and API have for the same."""
    order = change()
    assert order is not None
    assert change(tts_notification_id="9", timestamp=9) == order
    assert change(data={**ORDER, "is_on_hold_order": None}) == order
    for other in ({"order_id": "2"}, {"order_status": "ON_HOLD"}, {"update_time": 6}):
        assert change(data={**ORDER, **other}) != order
    assert change(shop_id="8") != order
    assert change(data={**ORDER, "order_status": "CANCEL"}) == change(
        data={**ORDER, "order_status": "CANCELLED"}
    )
    statuses = ("CANCELLATION_REQUEST_CANCEL", "CANCELLATION_REQUEST_CANCELLED")
    one, other = (
        change(type=11, data={"cancel_id": "1", "cancel_status": status}) for status in statuses
    )
    assert one == other
    assert one is not None
    returned = {"return_id": "1", "return_status": "X", "update_time": 5}
    assert change(type=12, data=returned) is not None
    assert change(type=12, data={**returned, "return_status": None}) is None
    assert change(type=14) is None
    assert change(shop_id=None) is None
    assert change(data={**ORDER, "order_id": "1/2"}) != change(
        data={**ORDER, "order_id": "1", "order_status": "2/UNPAID"}
    )


def test_a_cancellation_has_its_class() -> None:
    event = parse(type=11, data={"cancel_id": "1", "cancellations_role": "BUYER"})
    assert isinstance(event, CancellationStatusChange)
    assert event.data.cancellations_role == "BUYER"


@pytest.mark.parametrize("odd", [b"9" * 5000, b"[" * 980 + b"]" * 980, b"[" * 9999 + b"]" * 9999])
@pytest.mark.parametrize("number", [1, 999])
def test_values_that_python_cannot_read_reject_no_event(number: int, odd: bytes) -> None:
    body = b'{"type":%d,"shop_id":"1","odd":%s,"data":{"order_id":"1","odd":%s}}' % (
        number, odd, odd,
    )  # fmt: skip
    event = WEBHOOKS.parse(body)
    assert (event.type, event.shop_id, event.raw) == (number, "1", body)
    assert (event.data["order_id"] if number == 999 else event.data.order_id) == "1"
    assert "order_id" in repr(event)
    try:
        assert event.json()["type"] == number
    except WebhookBodyError as error:
        assert "nested" in error.message  # noqa: PT017 - either is right, by the stack's depth
