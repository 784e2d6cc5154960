"""Secrets are masked in every form they have in messages; other words are not changed."""

from __future__ import annotations

import html
import json
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiktok_shop_async._internal.redaction import MASK, excerpt, redact, redact_start

ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "repr": lambda text: repr(text)[1:-1],
    "repr of bytes": lambda text: repr(text.encode("latin-1"))[2:-1],
    "repr of a repr": lambda text: repr(repr(text)[1:-1])[1:-1],
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "JSON with escaped slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "unicode escapes": lambda text: "".join(
        each if each.isalnum() else f"\\u{ord(each):04x}" for each in text
    ),
    "hex escapes": lambda text: "".join(
        each if each.isalnum() else f"\\x{ord(each):02x}" for each in text
    ),
    "percent": lambda text: quote(text, safe="", encoding="latin-1"),
    "percent, UTF-8": lambda text: quote(text, safe=""),
    "percent, lower case": lambda text: quote(text, safe="").replace("%2B", "%2b"),
    "percent, slashes left": quote,
    "percent, twice": lambda text: quote(quote(text, safe=""), safe=""),
    "form": quote_plus,
    "HTML": html.escape,
    "HTML, numeric": lambda text: "".join(
        each if each.isalnum() else f"&#{ord(each)};" for each in text
    ),
}
CORE = "Kept4core0"
tails = st.text(string.ascii_letters + string.digits + "+/=_-.%&#?~ '\"\\<>\n\t", max_size=20)


@settings(max_examples=30)
@pytest.mark.parametrize("encoding", ENCODINGS)
@given(tails, tails)
def test_a_secret_is_masked_in_every_form(encoding: str, before: str, after: str) -> None:
    secret = f"{before}{CORE}{after}"
    shown = redact(f"refused: [{ENCODINGS[encoding](secret)}] is wrong", [secret])
    assert CORE not in shown
    assert shown == f"refused: [{MASK}] is wrong"


MESSAGES = [
    "the token is invalid",
    "Invalid credentials. The 'access_token' is invalid.",
    "sign: invalid",
    "invalid shop_cipher: expired",
    "access_token: Expired.",
    "order 1 of page 2 is a duplicate, see cipher",
    "missing required parameter app_secret",
    "signature and timestamp do not match",
]


@pytest.mark.parametrize("message", MESSAGES)
def test_words_of_messages_are_left_alone(message: str) -> None:
    """Also where a test's credentials are such words, or a few letters."""
    credentials = ["token", "access_token", "t", "1", "is", "cipher", "secret", "shop_cipher"]
    assert redact(message, credentials) == message


@pytest.mark.parametrize(
    "text",
    [
        "access_token=Kept4core0&x=1",
        '{"access_token": "Kept4core0"}',
        '{"access_token":"keptcore"}',
        "{'shop_cipher': 'Kept4core0'}",
        r"{\"refresh_token\":\"Kept4core0\",\"x\":1}",
        r"\\\"app_secret\\\": \\\"Kept4core0\\\"",
        "?app_key=1&sign=Kept4core0",
        "sign=keptcore",
        "%3Fapp_key%3D1%26sign%3DKept4core0%26x",
        "%253Fapp_key%253D1%2526shop_cipher%253DKept4core0",
        "%22access_token%22%3A%20%22Kept4core0%22",
        "x-tts-access-token: Kept4core0",
        "&quot;auth_code&quot;:&quot;Kept4core0&quot;",
        "cipher = Kept4core0",
    ],
)
def test_a_value_behind_the_name_of_a_secret_is_masked(text: str) -> None:
    shown = redact(text)
    assert CORE not in shown
    assert "keptcore" not in shown
    assert MASK in shown


def test_a_secret_at_the_end_of_an_excerpt_is_masked() -> None:
    assert CORE[:6] not in excerpt(b"x" * 295 + b"Kept4core0Kept4core0", ["Kept4core0Kept4core0"])


@pytest.mark.parametrize("offset", range(0, 200, 7))
def test_a_secret_that_a_cut_divides_is_masked(offset: int) -> None:
    """Also where masks shorten the text before it, which moves the cut."""
    secret = "Kept4core0" * 20
    body = b" " * offset + f"{secret} ".encode() * 40
    assert CORE[:6] not in excerpt(body, [secret])
    assert CORE[:6] not in redact_start(body, 1000, [secret])


def test_the_start_of_a_body_is_at_most_as_long_as_asked_for() -> None:
    assert redact_start(b"x" * 10_000, 100) == "x" * 100
    assert redact_start(b"x" * 100, 100) == "x" * 100
    assert len(redact_start(b"sign=a " * 10_000, 100)) == 100


@settings(max_examples=200)
@given(st.text(max_size=60), st.lists(st.text(max_size=20), max_size=3))
def test_any_text_can_be_redacted(text: str, secrets: list[str]) -> None:
    assert isinstance(redact(text, secrets), str)
