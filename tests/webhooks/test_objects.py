"""The object of each type of event, and the time of its change."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tiktok_shop_async import InvalidArgumentError
from tiktok_shop_async.testing import signed_webhook
from tiktok_shop_async.webhooks import WebhookReceiver, Webhooks, events
from tiktok_shop_async.webhooks.kinds import event_class
from tiktok_shop_async.webhooks.objects import changed_at, object_of

WEBHOOKS = Webhooks("key", "secret")
WITHOUT_OBJECT = {6, 7, 20, 22}
"""Events about an authorization, or about a seller as a whole."""
OF_THEIR_OWN = {4, 13, 14, 15, 16, 17, 23, 24, 25, 33, 37, 38, 42, 50, 51, 52, 59, 62, 63, 66, 67}
OF_THEIR_OWN |= {71}
"""Events that report no state that a later one would replace, such as messages."""


def parsed(number: int, data: dict[str, Any] | None = None, **envelope: Any) -> Any:
    kind = event_class(number)
    assert kind is not None
    delivery = signed_webhook(kind, data, app_key="key", app_secret="secret", timestamp=1718305585)
    body = json.loads(delivery.body) | envelope
    return WEBHOOKS.parse(json.dumps(body).encode())


@pytest.mark.parametrize("number", sorted(events.CLASS_OF))
def test_each_kind_of_event_has_an_object_or_is_known_to_have_none(number: int) -> None:
    event = parsed(number)
    assert not event.issues
    assert (object_of(event) is None) == (number in WITHOUT_OBJECT)
    assert (changed_at(event) is None) == (number in WITHOUT_OBJECT | OF_THEIR_OWN)


def test_all_events_of_an_order_are_about_the_same_object() -> None:
    order = {"order_id": "576"}
    packages = {"package_list": [{"order_id_list": ["99", "577"]}, {"order_id_list": ["576"]}]}
    names = {
        object_of(parsed(number, data, shop_id="7"))
        for number, data in ((1, order), (3, order), (4, packages))
    }
    assert names == {"7/order/576"}


def test_objects_of_two_shops_or_of_two_kinds_are_different() -> None:
    assert object_of(parsed(12, {"return_id": "1"}, shop_id="7")) == "7/return/1"
    assert object_of(parsed(12, {"return_id": "1"}, shop_id="8")) == "8/return/1"
    assert object_of(parsed(5, {"product_id": 1}, shop_id="7")) == "7/product/1"
    assert object_of(parsed(5, {"product_id": "1"}, shop_id=None)) == "/product/1"
    assert (
        object_of(parsed(1, {"order_id": "a/b \ud800"}, shop_id="7")) == "7/order/a%2Fb%20%EF%BF%BD"
    )


@pytest.mark.parametrize("data", [None, {}, {"order_id": None}, [], "text"])
def test_an_event_without_its_id_has_no_object(data: Any) -> None:
    event = WEBHOOKS.parse(json.dumps({"type": 1, "shop_id": "7", "data": data}).encode())
    assert object_of(event) is None
    assert changed_at(event) is None


def test_the_page_on_webhooks_names_the_object_of_each_event() -> None:
    page = Path(__file__).parents[2].joinpath("docs/webhooks.md").read_text()
    rows = re.findall(r"^\| (\d+) \|[^|]+\|[^|]*\| ?([^|]*) \|", page, re.MULTILINE)
    assert len(rows) == len(events.CLASS_OF)
    for number, words in rows:
        event = parsed(int(number), shop_id="7")
        name, _, state = words.partition(", ")
        assert (name or None) == (
            object_of(event) and object_of(event).split("/")[1].replace("_", " ")
        )
        assert (state == "state") == (changed_at(event) is not None)


@pytest.mark.parametrize("number", [None, 999])
def test_unknown_events_have_no_object(number: int | None) -> None:
    event = WEBHOOKS.parse(json.dumps({"type": number, "data": {"order_id": "1"}}).encode())
    assert object_of(event) is None
    assert changed_at(event) is None


def test_the_time_is_that_of_the_change_or_else_of_the_delivery() -> None:
    assert changed_at(parsed(1, {"update_time": 5})) == 5
    assert changed_at(parsed(65, {"rma_request_update_time": 5})) == 5
    assert changed_at(parsed(11)) == 1718305585


@pytest.mark.parametrize("time", [None, -1, 0, 2**53, 10**30, "soon"])
def test_an_invalid_time_is_not_compared(time: Any) -> None:
    assert changed_at(parsed(1, {"update_time": time})) is None


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        (1718305585, 1718305585),
        (1718305585999, 1718305585),
        (1718305585999999, 1718305585),
        (10**11 - 1, 10**11 - 1),
        (10**11, 10**8),
    ],
)
def test_a_time_in_milliseconds_is_compared_in_seconds(time: int, seconds: int) -> None:
    """In microseconds, too: the platform's pages do not name the unit of every time."""
    assert changed_at(parsed(1, {"update_time": time})) == seconds
    assert changed_at(parsed(11, timestamp=time)) == seconds


def test_outdated_events_are_skipped_only_where_they_are_put_in_order() -> None:
    with pytest.raises(InvalidArgumentError, match="requires ordered=True"):
        WebhookReceiver(WEBHOOKS, skip_outdated=True)
