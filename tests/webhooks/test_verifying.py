"""The verification of signatures."""

from __future__ import annotations

import pickle
from collections import UserDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_shop_async import (
    InvalidArgumentError,
    WebhookError,
    WebhookExpiredError,
    WebhookSignatureError,
)
from tiktok_shop_async.sandbox.webhook_delivery import sign
from tiktok_shop_async.webhooks import OrderStatusChange, Webhooks

BODY = (
    b'{"type":1,"tts_notification_id":"7380066284010030890","shop_id":"7495540735365777507",'
    b'"timestamp":1718305585,"data":{"is_on_hold_order":true,"order_id":"576653688135258178",'
    b'"order_status":"UNPAID","update_time":1718305585}}'
)
SIGNATURE = "5dec0f11ec2f6783b8deee53c9ffbf8d024302f7c7e7fa55a35d17629031ac05"
WEBHOOKS = Webhooks("abcdef", "123")
credentials = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


def test_the_published_delivery_is_the_platforms() -> None:
    assert WEBHOOKS.verify(BODY, SIGNATURE) == "abcdef"
    assert WEBHOOKS.verify(bytearray(BODY), SIGNATURE.encode()) == "abcdef"
    assert WEBHOOKS.sign(memoryview(BODY)) == SIGNATURE  # type: ignore[arg-type]
    for end in (" ", "\t", " \t ", "\r\n"):
        assert WEBHOOKS.verify(BODY, SIGNATURE + end) == "abcdef"
        assert WEBHOOKS.verify(BODY, (SIGNATURE + end).encode()) == "abcdef"
    event = WEBHOOKS.verify_and_parse(BODY, SIGNATURE)
    assert isinstance(event, OrderStatusChange)
    assert event.app_key == "abcdef"
    assert event.raw == BODY


@given(st.binary(), credentials, credentials)
def test_the_sandbox_signs_alike(body: bytes, key: str, secret: str) -> None:
    assert Webhooks(key, secret).verify(body, sign(key, secret, body)) == key


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        b"",
        SIGNATURE.upper(),
        f"Bearer {SIGNATURE}",
        f" {SIGNATURE}",
        SIGNATURE[:-1],
        SIGNATURE[:-1] + "4",
        "é" * 64,
        "\ud800",
        b"\xff" * 64,
    ],
)
def test_other_signatures_are_rejected(signature: Any) -> None:
    with pytest.raises(WebhookSignatureError) as raised:
        WEBHOOKS.verify(BODY, signature)
    assert isinstance(raised.value, WebhookError)
    assert "abcdef" in str(raised.value)
    assert SIGNATURE not in str(raised.value)


@given(st.binary(), st.one_of(st.none(), st.binary(), st.text(st.characters(codec=None))))
def test_any_other_signature_raises_the_same_error(body: bytes, signature: Any) -> None:
    with pytest.raises(WebhookSignatureError):
        WEBHOOKS.verify(body, signature)


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_a_byte_that_was_changed_is_noticed(place: int, by: int) -> None:
    body = bytearray(BODY)
    body[place] ^= by
    with pytest.raises(WebhookSignatureError):
        WEBHOOKS.verify(bytes(body), SIGNATURE)


def test_secrets_can_rotate_and_apps_share_an_address() -> None:
    webhooks = Webhooks("one", ["new", "old"], other_apps={"two": "its own", "three": ["a", "b"]})
    assert webhooks.verify(BODY, sign("one", "old", BODY)) == "one"
    assert webhooks.verify(BODY, sign("one", "new", BODY)) == "one"
    assert webhooks.verify(BODY, sign("two", "its own", BODY)) == "two"
    assert webhooks.verify(BODY, sign("three", "b", BODY)) == "three"
    assert webhooks.sign(BODY) == sign("one", "new", BODY)
    for key, secret in (("two", "new"), ("one", "its own"), ("four", "new")):
        with pytest.raises(WebhookSignatureError):
            webhooks.verify(BODY, sign(key, secret, BODY))


@pytest.mark.parametrize(
    "body", [{}, [], "{}", None, 7, UserDict()], ids=lambda body: type(body).__name__
)
@pytest.mark.parametrize("method", ["verify", "verify_and_parse", "parse", "sign"])
def test_a_body_that_was_parsed_already_is_an_error_that_says_so(method: str, body: Any) -> None:
    arguments = [SIGNATURE] if method.startswith("verify") else []
    with pytest.raises(InvalidArgumentError) as raised:
        getattr(WEBHOOKS, method)(body, *arguments)
    assert raised.value.argument == "body"
    assert "request.body()" in str(raised.value)
    assert type(body).__name__ in str(raised.value)


def test_an_old_delivery_can_be_rejected() -> None:
    """It can be a recorded one; a delivery without a time is signed, too."""
    now = 1718305585.0
    webhooks = Webhooks("abcdef", "123", max_age=86_400, clock=lambda: now)
    assert webhooks.verify_and_parse(BODY, SIGNATURE).timestamp == 1718305585
    now += 86_401
    with pytest.raises(WebhookExpiredError, match="86,401"):
        webhooks.verify_and_parse(BODY, SIGNATURE)
    with pytest.raises(WebhookSignatureError):
        webhooks.verify_and_parse(BODY, "no")
    timeless = b'{"type":1}'
    assert webhooks.verify_and_parse(timeless, webhooks.sign(timeless)).sent_at is None
    now -= 200_000
    assert webhooks.verify_and_parse(BODY, SIGNATURE).sent_at is not None


@pytest.mark.parametrize(
    "refused",
    [
        lambda: Webhooks("", "123"),
        lambda: Webhooks("abcdef", ""),
        lambda: Webhooks("abcdef", []),
        lambda: Webhooks("abcdef", ["new", ""]),
        lambda: Webhooks("abcdef", None),  # type: ignore[arg-type]
        lambda: Webhooks("abcdef", "123", other_apps={"two": ""}),
        lambda: Webhooks("abcdef", "123", max_age=0),
    ],
)
def test_missing_secrets_are_rejected(refused: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        refused()


def test_no_secret_is_shown() -> None:
    webhooks = Webhooks("abcdef", "secret-55")
    assert "secret-55" not in repr(webhooks)
    assert "abcdef" in repr(webhooks)
    with pytest.raises(TypeError):
        pickle.dumps(webhooks)
