"""Made-up deliveries are signed, whole, and each another one."""

from __future__ import annotations

import json

import pytest

from tiktok_shop_async.testing import signed_webhook
from tiktok_shop_async.webhooks import OrderStatusChange, PackageUpdate, UnknownEvent, Webhooks

APP = {"app_key": "key", "app_secret": "secret"}


def test_a_delivery_is_what_a_receiver_takes() -> None:
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


def test_what_an_event_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match=r"no 'order_state'\. Did you mean order_status"):
        signed_webhook(OrderStatusChange, {"order_state": "CANCEL"}, **APP)
    with pytest.raises(TypeError, match="no kind"):
        signed_webhook(UnknownEvent, **APP)


def test_what_a_part_of_an_event_does_not_have_is_rejected_unless_it_is_meant() -> None:
    data = {"package_list": [{"package_idd": "1"}]}
    with pytest.raises(TypeError, match=r"no 'package_list\[0\]\.package_idd'\. Did you mean pack"):
        signed_webhook(PackageUpdate, data, **APP)
    webhook = signed_webhook(PackageUpdate, data, **APP, unknown_fields=True)
    assert json.loads(webhook.body)["data"]["package_list"] == data["package_list"]
