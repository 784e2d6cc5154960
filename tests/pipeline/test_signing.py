"""Signatures: the platform's published values, and those that a server receives."""

from __future__ import annotations

import json
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st
from signatures import expected_signature, sent_signature
from support import APP_SECRET, FakeShop, new_client

from tiktok_shop_async import RequestOptions
from tiktok_shop_async.pipeline.signing import signature, string_to_sign

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
ids = texts.filter(lambda text: text not in ("", ".", "..") and "/" not in text)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def test_the_published_signature_is_reproduced() -> None:
    query = [("timestamp", "1623812664"), ("app_key", "29a39d")]
    assert (
        signature("e59af819cc", "/authorization/202309/shops", query)
        == "b596b73e0cc6de07ac26f036364178ab16b0a907af13d43f0a0cd2345f582dc8"
    )


def test_the_published_base_string_with_a_body_is_reproduced() -> None:
    body = b'{"address":"https://partner.tiktokshop.com","event_type":"PACKAGE_UPDATE"}'
    query = [
        ("timestamp", "1696909648"),
        ("app_key", "68xu9ks5p4i8"),
        ("shop_cipher", "ROW_xkMbgAAAeVAQra0eZWebFQq5aIKt"),
        ("sign", "not signed"),
        ("access_token", "not signed"),
    ]
    assert string_to_sign("secret", "/event/202309/webhooks", query, body) == (
        b"secret/event/202309/webhooksapp_key68xu9ks5p4i8"
        b"shop_cipherROW_xkMbgAAAeVAQra0eZWebFQq5aIKttimestamp1696909648"
        b'{"address":"https://partner.tiktokshop.com","event_type":"PACKAGE_UPDATE"}secret'
    )


@settings(max_examples=150)
@given(
    path=ids,
    query=st.dictionaries(ids, texts, max_size=4),
    body=st.dictionaries(texts, json_values),
)
async def test_any_arguments_are_signed_as_they_arrive(
    path: str, query: dict[str, str], body: dict[str, Any]
) -> None:
    reserved = {"sign", "app_key", "timestamp", "access_token", "shop_cipher"}
    query = {name: value for name, value in query.items() if name not in reserved}
    shop = FakeShop().answer({})
    async with new_client(httpx.MockTransport(shop.handle_async_request)) as client:
        await client.return_refund.approve_return(
            return_id=path,
            decision="APPROVE_REFUND",
            options=RequestOptions(extra_query=query, extra_body=body),
        )
    assert sent_signature(shop.last) == expected_signature(shop.last, APP_SECRET)
    assert {name: shop.last.url.params[name] for name in query} == query
    assert json.loads(shop.last.content) == {"decision": "APPROVE_REFUND"} | body


async def test_each_call_is_signed_with_the_credentials_in_force_then(shop: FakeShop) -> None:
    shop.answer({})
    async with new_client(httpx.MockTransport(shop.handle_async_request)) as client:
        await client.order.get_order_detail(ids=["1"])
        client.auth.access_token = "a new token"
        client.auth.shop_cipher = "a new cipher"
        await client.order.get_order_detail(ids=["1"])
    first, second = shop.requests
    assert first.url.params["shop_cipher"] != second.url.params["shop_cipher"] == "a new cipher"
    assert second.headers["x-tts-access-token"] == "a new token"
    assert sent_signature(second) == expected_signature(second, APP_SECRET)
