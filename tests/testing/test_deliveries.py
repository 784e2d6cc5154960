"""Example deliveries: signed, complete and distinct."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tiktok_shop_async.testing import signed_webhook
from tiktok_shop_async.webhooks import OrderStatusChange, PackageUpdate, UnknownEvent, Webhooks

APP = {"app_key": "key", "app_secret": "secret"}


def test_a_receiver_accepts_a_delivery() -> None:
    made = signed_webhook(OrderStatusChange, {"order_status": "CANCEL"}, **APP)
    webhooks = Webhooks("key", "secret")
    event = webhooks.verify_and_parse(made.body, made.headers["Authorization"])
    assert isinstance(event, OrderStatusChange)
    assert event.data.order_status == "CANCEL"
    assert event.data.order_id
    assert event.id == made.notification_id
    again = signed_webhook(OrderStatusChange, **APP)
    assert again.notification_id != made.notification_id
    same = signed_webhook(
        OrderStatusChange,
        {"order_status": "CANCEL"},
        **APP,
        notification_id=made.notification_id,
        timestamp=event.timestamp,
    )
    assert same == made
    assert made.headers["Authorization"] not in repr(made)


def test_an_unknown_field_of_an_event_is_rejected() -> None:
    with pytest.raises(TypeError, match=r"no 'order_state'\. Did you mean order_status"):
        signed_webhook(OrderStatusChange, {"order_state": "CANCEL"}, **APP)
    with pytest.raises(TypeError, match="known event type, not UnknownEvent"):
        signed_webhook(UnknownEvent, **APP)


def test_an_unknown_nested_field_of_an_event_is_rejected_unless_intended() -> None:
    data = {"package_list": [{"package_idd": "1"}]}
    with pytest.raises(TypeError, match=r"no 'package_list\[0\]\.package_idd'\. Did you mean pack"):
        signed_webhook(PackageUpdate, data, **APP)
    webhook = signed_webhook(PackageUpdate, data, **APP, unknown_fields=True)
    assert json.loads(webhook.body)["data"]["package_list"] == data["package_list"]


def test_data_accepts_the_values_that_a_stub_response_accepts() -> None:
    moment = datetime(2026, 11, 24, tzinfo=UTC)
    webhook = signed_webhook(OrderStatusChange, {"update_time": moment}, **APP)
    assert json.loads(webhook.body)["data"]["update_time"] == 1795478400


@pytest.mark.parametrize("kind", ["ORDER_STATUS_CHANGE", 1, None, dict])
def test_only_classes_of_events_are_accepted(kind: Any) -> None:
    with pytest.raises(TypeError, match="class of an event such as OrderStatusChange, not"):
        signed_webhook(kind, **APP)
