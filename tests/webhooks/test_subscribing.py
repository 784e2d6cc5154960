"""A shop's subscriptions become what was asked for, and nothing else is touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support import FakeShop, new_client

from tiktok_shop_async import AsyncTikTokShop, InvalidArgumentError
from tiktok_shop_async.sandbox import Sandbox, run_sandbox
from tiktok_shop_async.webhooks import (
    OrderStatusChange,
    RefundSuccess,
    ReturnStatusChange,
    ensure_webhooks,
)

URL = "http://127.0.0.1:9/webhooks"
PUBLIC = "https://shop.example.com/webhooks"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with run_sandbox(orders=1) as sandbox:
        yield sandbox


def writes(sandbox: Sandbox) -> Counter[str]:
    return Counter(
        entry.operation
        for entry in sandbox.requests
        if entry.operation and entry.operation != "event.get_shop_webhooks"
    )


async def subscribed(client: AsyncTikTokShop) -> dict[str | None, str | None]:
    found = await client.event.get_shop_webhooks()
    return {each.event_type: each.address for each in found.data.webhooks}


async def test_only_what_differs_is_changed(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        update = client.event.update_shop_webhook
        await update(event_type="PACKAGE_UPDATE", address=URL)
        await update(event_type="NEW_MESSAGE", address=URL)
        await update(event_type="RETURN_STATUS_CHANGE", address=f"{URL}/old")
        wanted: dict[Any, str | None] = {
            OrderStatusChange: URL,
            "RETURN_STATUS_CHANGE": URL,
            4: URL,
            "NEW_MESSAGE": None,
            "PRODUCT_CREATION": None,
        }
        before = writes(sandbox)
        changes = await ensure_webhooks(client, wanted)
        assert changes.subscribed == ("ORDER_STATUS_CHANGE", "RETURN_STATUS_CHANGE")
        assert changes.ended == ("NEW_MESSAGE",)
        assert changes.unchanged == ("PACKAGE_UPDATE", "PRODUCT_CREATION")
        assert writes(sandbox) - before == Counter(
            {"event.update_shop_webhook": 2, "event.delete_shop_webhook": 1}
        )
        assert await subscribed(client) == {
            "ORDER_STATUS_CHANGE": URL,
            "RETURN_STATUS_CHANGE": URL,
            "PACKAGE_UPDATE": URL,
        }
        again = await ensure_webhooks(client, wanted)
        assert len(again.unchanged) == 5


async def test_other_subscriptions_stay(sandbox: Sandbox) -> None:
    async with sandbox.client() as client:
        await client.event.update_shop_webhook(event_type="NEW_MESSAGE", address=URL)
        await ensure_webhooks(client, {ReturnStatusChange: URL})
        assert "NEW_MESSAGE" in await subscribed(client)


async def test_a_lost_response_is_looked_up(sandbox: Sandbox) -> None:
    sandbox.faults.add("lost_answer", operation="event.update_shop_webhook", times=1)
    async with sandbox.client() as client:
        changes = await ensure_webhooks(client, {OrderStatusChange: URL})
        assert changes.unchanged == ("ORDER_STATUS_CHANGE",)
        assert await subscribed(client) == {"ORDER_STATUS_CHANGE": URL}


@pytest.mark.parametrize(
    ("addresses", "says"),
    [
        ({"ORDER_STATUS_CHANGED": PUBLIC}, "ORDER_STATUS_CHANGE"),
        ({"order": PUBLIC}, "newer"),
        ({RefundSuccess: PUBLIC}, "Partner Center"),
        ({99: PUBLIC}, "99"),
        ({3.5: PUBLIC}, "3.5"),
        ({OrderStatusChange: PUBLIC, 1: PUBLIC}, "more than once"),
        ({1: "http://shop.example.com/"}, "HTTPS"),
        ({1: "https://shop.example.com:8443/"}, "port"),
        ({1: "https://10.0.0.1/"}, "domain name"),
        ({1: "https://[::1]/"}, "domain name"),
        ({1: "https://localhost/"}, "domain name"),
        ({1: f"https://shop.example.com/{'x' * 240}"}, "255"),
        ({1: "shop.example.com"}, "must be a URL"),
        ({1: "https://["}, "must be a URL"),
    ],
)
async def test_invalid_addresses_are_rejected_before_anything_is_sent(
    shop: FakeShop, addresses: Any, says: str
) -> None:
    async with new_client(shop) as client:
        with pytest.raises(InvalidArgumentError) as raised:
            await ensure_webhooks(client, addresses)
    assert says in str(raised.value)
    assert raised.value.argument == "addresses"
    assert shop.requests == []
