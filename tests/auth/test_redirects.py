"""What the redirect brings is read strictly, and its state is ours or refused."""

from __future__ import annotations

import base64
import importlib
import secrets
import sys
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import pytest
from auth.consent import decided, oauth_of
from hypothesis import given
from hypothesis import strategies as st

from tiktok_shop_async import (
    AuthorizationDeniedError,
    AuthorizationError,
    InvalidArgumentError,
    StateError,
    StateExpiredError,
)
from tiktok_shop_async.auth import StateSigner, parse_redirect
from tiktok_shop_async.testing.sandboxes import create_sandbox

SECRET = "a-secret-of-sixteen-or-more"
QUERY = "app_key=68x&code=ROW_a%2Bb&locale=en-US&shop_region=US&state=s%26t"


@pytest.mark.parametrize(
    "form",
    [QUERY, f"?{QUERY}", f"/callback?{QUERY}", f"https://me.example/callback?{QUERY}#top"],
)
def test_a_whole_url_or_its_query_will_do(form: str) -> None:
    response = parse_redirect(form)
    assert (response.code, response.state) == ("ROW_a+b", "s&t")
    assert (response.app_key, response.locale, response.shop_region) == ("68x", "en-US", "US")
    assert "ROW_a" not in repr(response)


@pytest.mark.parametrize("page", ["seller", "creator"])
async def test_a_denial_is_an_error_with_its_state(page: Any) -> None:
    shop = create_sandbox()
    async with oauth_of(shop) as oauth:
        url = await decided(shop, oauth.authorization_url(page, state="s&t"), "deny")
    with pytest.raises(AuthorizationDeniedError) as caught:
        parse_redirect(url)
    assert caught.value.state == "s&t"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "state=s",
        "code=&state=s",
        "error=server_error&state=s",
        "error=&code=1",
        "code=1&code=2",
        "code=1&state=a&state=b",
        "&".join(f"x{number}=1" for number in range(60)),
    ],
)
def test_anything_else_is_an_error_but_no_denial(query: str) -> None:
    with pytest.raises(AuthorizationError) as caught:
        parse_redirect(query)
    assert not isinstance(caught.value, AuthorizationDeniedError)


@given(
    st.text()
    | st.dictionaries(st.sampled_from(["code", "state", "error"]), st.text()).map(urlencode)
)
def test_any_query_brings_a_code_or_an_error_that_can_be_logged(query: str) -> None:
    said = "a code"
    try:
        assert parse_redirect(query).code
    except AuthorizationError as error:
        said = str(error)
    assert said.isascii()
    assert said.isprintable()


class Clock:
    now = 1_790_000_000.5

    def __call__(self) -> float:
        return self.now


@given(
    st.none()
    | st.integers()
    | st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=5),
    st.text(max_size=40),
)
def test_a_state_brings_its_data_back(data: Any, nonce: str) -> None:
    signer = StateSigner(SECRET)
    state = signer.make(data, nonce=nonce)
    assert StateSigner(SECRET).check(state, nonce=nonce) == data
    assert state.isascii()


def test_a_state_expires() -> None:
    clock = Clock()
    signer = StateSigner(SECRET, clock=clock)
    state = signer.make("me")
    clock.now += 600
    assert signer.check(state) == "me"
    clock.now += 1
    with pytest.raises(StateExpiredError):
        signer.check(state)
    assert signer.check(state, max_age=601) == "me"
    clock.now -= 700
    with pytest.raises(StateError):
        signer.check(state)  # of the future


@pytest.mark.parametrize("state", [None, "", "x", "é.\ud800", "." * 99, "a" * 10_000])
def test_a_missing_or_made_up_state_is_refused(state: str | None) -> None:
    with pytest.raises(StateError):
        StateSigner(SECRET).check(state)


def test_a_state_of_another_secret_or_browser_is_refused() -> None:
    signer = StateSigner(SECRET)
    state = signer.make("me", nonce="mine")
    for other, nonce in [(StateSigner(SECRET + "2"), "mine"), (signer, "yours"), (signer, "")]:
        with pytest.raises(StateError) as caught:
            other.check(state, nonce=nonce)
        assert not isinstance(caught.value, StateExpiredError)


@given(st.data())
def test_a_changed_state_never_brings_other_data(data: st.DataObject) -> None:
    """Not each change is seen: the last bits of base64 text may stand for nothing."""
    state = StateSigner(SECRET).make({"user": 7})
    place = data.draw(st.integers(0, len(state) - 1))
    forged = state[:place] + data.draw(st.text(max_size=2)) + state[place + 1 :]
    with suppress(StateError):
        assert StateSigner(SECRET).check(forged) == {"user": 7}


def test_a_state_does_not_tell_its_nonce() -> None:
    nonce = "nonce-of-the-browser"
    state = StateSigner(SECRET).make(None, nonce=nonce)
    read = b"".join(base64.urlsafe_b64decode(part + "==") for part in state.split("."))
    assert nonce not in state
    assert nonce.encode() not in read


def test_a_weak_secret_and_a_long_state_are_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        StateSigner("short")
    assert caught.value.argument == "secret"
    with pytest.raises(InvalidArgumentError) as caught:
        StateSigner(SECRET).make(secrets.token_hex(2000))
    assert caught.value.argument == "data"


@pytest.mark.parametrize(
    ("module", "missing"), [("state_signer", "itsdangerous"), ("routes", "starlette.routing")]
)
def test_what_is_not_installed_is_named(
    module: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    for name in ("web", f"web.{module}"):
        monkeypatch.delitem(sys.modules, f"tiktok_shop_async.auth.{name}", raising=False)
    with pytest.raises(ImportError, match=r"tiktok-shop-async\[oauth\]"):
        importlib.import_module(f"tiktok_shop_async.auth.web.{module}")
