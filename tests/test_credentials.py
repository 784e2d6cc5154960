"""Credentials are validated when they are set, and errors do not quote them."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import attrs
import httpx
import pytest
from auth.consent import DOCUMENT, with_data
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ACCESS_TOKEN, APP_KEY, APP_SECRET, SHOP_CIPHER, FakeShop, new_client

from tiktok_shop_async import (
    AsyncTikTokShop,
    AuthState,
    InvalidArgumentError,
    ResponseDecodeError,
    TikTokShopError,
    TikTokShopOAuth,
    Token,
    TokenStoreError,
)
from tiktok_shop_async.auth import Authorizations, MemoryTokenStore
from tiktok_shop_async.webhooks import Webhooks

CORE = "kept-Core_of-the-secret-7Qx4"
MALFORMED: dict[str, Any] = {
    "newline at the end": f"{CORE}\n",
    "carriage return at the end": f"{CORE}\r\n",
    "space at the start": f" {CORE}",
    "tab at the end": f"{CORE}\t",
    "newline inside": f"{CORE}\n{CORE}",
    "null inside": f"{CORE}\0{CORE}",
    "DEL inside": f"{CORE}\x7f{CORE}",
    "not ASCII": f"{CORE}é",
    "a byte order mark": f"\ufeff{CORE}",
    "a zero-width space": f"{CORE}\u200b",
    "half a surrogate pair": f"{CORE}\ud800",
    "bytes": CORE.encode(),
    "a list": [CORE],
}

Setter = Callable[[Any], object]


def set_attribute(name: str) -> Setter:
    def assign(value: Any) -> None:
        auth = AuthState(access_token="first-token", shop_cipher="first-cipher")
        setattr(auth, name, value)

    return assign


def new_token(**changes: Any) -> Token:
    moment = datetime.fromtimestamp(2_000_000_000, UTC)
    values: dict[str, Any] = {
        "access_token": "access-1",
        "refresh_token": "refresh-1",
        "access_token_expires_at": moment,
        "refresh_token_expires_at": moment,
    }
    return Token(**values | changes)


SETTERS: dict[str, tuple[str, Setter]] = {
    "client: app_key": ("app_key", lambda value: AsyncTikTokShop(value, APP_SECRET)),
    "client: app_secret": ("app_secret", lambda value: AsyncTikTokShop(APP_KEY, value)),
    **{
        f"client: {name}": (
            name,
            lambda value, name=name: AsyncTikTokShop(APP_KEY, APP_SECRET, **{name: value}),
        )
        for name in ("access_token", "shop_cipher", "category_asset_cipher")
    },
    **{
        f"state: {name}": (name, lambda value, name=name: AuthState(**{name: value}))
        for name in ("access_token", "shop_cipher", "category_asset_cipher")
    },
    **{
        f"state: {name} =": (name, set_attribute(name))
        for name in ("access_token", "shop_cipher", "category_asset_cipher")
    },
    "state: for_shop": ("shop_cipher", lambda value: AuthState().for_shop(value)),
    "view: access_token": ("access_token", lambda v: new_client().for_shop(access_token=v)),
    "view: shop_cipher": ("shop_cipher", lambda v: new_client().for_shop(shop_cipher=v)),
    "view: cipher with a token": (
        "shop_cipher",
        lambda v: new_client().for_shop(access_token="t", shop_cipher=v),
    ),
    "OAuth: app_key": ("app_key", lambda value: TikTokShopOAuth(value, APP_SECRET)),
    "OAuth: app_secret": ("app_secret", lambda value: TikTokShopOAuth(APP_KEY, value)),
    "OAuth: service_id": (
        "service_id",
        lambda value: TikTokShopOAuth(APP_KEY, APP_SECRET, service_id=value),
    ),
    "Token: access_token": ("access_token", lambda value: new_token(access_token=value)),
    "Token: refresh_token": ("refresh_token", lambda value: new_token(refresh_token=value)),
    "Token: evolved": (
        "access_token",
        lambda value: attrs.evolve(new_token(), access_token=value),
    ),
    "webhooks: app_secret": ("app_secret", lambda value: Webhooks(APP_KEY, [APP_SECRET, value])),
    "webhooks: app_key": ("app_key", lambda value: Webhooks(value, APP_SECRET)),
    "webhooks: other app": (
        "app_secret",
        lambda value: Webhooks(APP_KEY, APP_SECRET, other_apps={"other": [value]}),
    ),
}


def shown(error: BaseException) -> str:
    """Return an error with its traceback and the local variables of the package's frames."""
    below = error.__traceback__
    while below is not None and "tiktok_shop_async" not in below.tb_frame.f_code.co_filename:
        below = below.tb_next
    tracked = traceback.TracebackException(type(error), error, below, capture_locals=True)
    return "".join(tracked.format()) + repr(error) + str(error) + repr(vars(error))


@pytest.mark.parametrize("malformed", MALFORMED)
@pytest.mark.parametrize("where", SETTERS)
def test_a_malformed_credential_is_refused_where_it_is_set(where: str, malformed: str) -> None:
    argument, set_value = SETTERS[where]
    value = MALFORMED[malformed]
    if argument == "app_key" and not value.__hash__:
        value = b"also no text"
    with pytest.raises(InvalidArgumentError) as caught:
        set_value(value)
    assert caught.value.argument == argument
    assert argument in caught.value.message
    assert caught.value.__cause__ is None
    if argument not in ("app_key", "service_id"):  # which are no secrets, but not quoted either
        assert CORE not in shown(caught.value)
    assert CORE not in str(caught.value) + repr(vars(caught.value))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (f"{CORE}\n", "access_token starts or ends with whitespace"),
        (f"{CORE}\n{CORE}", "access_token has a control character at position 29"),
        (f"{CORE}é", "access_token has a character that is not ASCII at position 29"),
        (CORE.encode(), "access_token must be text (str), not bytes"),
    ],
)
def test_the_error_says_what_is_wrong_and_where(value: Any, problem: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        AuthState(access_token=value)
    assert caught.value.message == f"{problem}."
    assert (caught.value.hint is not None) == ("ASCII" not in problem)


def test_the_hint_for_a_value_read_from_a_file_names_strip() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        AsyncTikTokShop(APP_KEY, APP_SECRET, access_token=f"{CORE}\n")
    assert ".strip()" in (caught.value.hint or "")


def test_a_refused_value_leaves_the_old_one_in_force() -> None:
    auth = AuthState(access_token="first")
    with pytest.raises(InvalidArgumentError):
        auth.access_token = f"{CORE}\n"
    assert auth.access_token == "first"


@settings(max_examples=200)
@given(st.text(min_size=1, max_size=30))
async def test_a_token_is_refused_when_it_is_set_or_arrives_unchanged(token: str) -> None:
    """There is no third way: a value that passes the check never fails as a header."""
    shop = FakeShop().answer({})
    async with new_client(shop) as client:
        try:
            client.auth.access_token = token
        except InvalidArgumentError:
            assert token != token.strip() or not (token.isascii() and token.isprintable())
            return
        await client.authorization.get_authorized_shops()
    assert shop.last.headers["x-tts-access-token"] == token


@pytest.mark.parametrize(
    ("variable", "argument"),
    [
        ("TIKTOK_APP_KEY", "app_key"),
        ("TIKTOK_APP_SECRET", "app_secret"),
        ("TIKTOK_ACCESS_TOKEN", "access_token"),
        ("TIKTOK_APP_ACCESS_KEY", "access_token"),
        ("TIKTOK_SHOP_CIPHER", "shop_cipher"),
    ],
)
def test_the_environment_variable_with_the_malformed_value_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, argument: str
) -> None:
    monkeypatch.delenv("TIKTOK_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("TIKTOK_APP_KEY", APP_KEY)
    monkeypatch.setenv("TIKTOK_APP_SECRET", APP_SECRET)
    monkeypatch.setenv(variable, f"{CORE}\n")
    with pytest.raises(InvalidArgumentError, match=variable) as caught:
        AsyncTikTokShop.from_env()
    assert caught.value.argument == argument
    assert CORE not in shown(caught.value)


def test_arguments_of_from_env_show_in_no_traceback() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        AsyncTikTokShop.from_env(app_key=APP_KEY, app_secret=CORE, access_token=f"{CORE}\n")
    assert CORE not in shown(caught.value)


@pytest.mark.parametrize("malformed", [f"{CORE}\n", f"{CORE} {CORE}", f"{CORE}é", "", 5])
async def test_a_malformed_code_or_refresh_token_is_refused_unsent(malformed: Any) -> None:
    shop = FakeShop().answer({})
    async with TikTokShopOAuth(APP_KEY, APP_SECRET, transport=shop) as oauth:
        for call, argument in ((oauth.exchange, "code"), (oauth.refresh, "refresh_token")):
            with pytest.raises(InvalidArgumentError, match=argument) as caught:
                await call(malformed)
            assert caught.value.argument == argument
            assert CORE not in shown(caught.value)
    assert not shop.requests


@pytest.mark.parametrize("field", ["access_token", "refresh_token"])
@pytest.mark.parametrize("malformed", [f"{CORE}\n", f"{CORE}é", f"{CORE}\0{CORE}"])
async def test_a_malformed_token_from_the_service_is_an_error_that_quotes_nothing(
    field: str, malformed: str
) -> None:
    transport = httpx.MockTransport(lambda _: with_data(DOCUMENT | {field: malformed}))
    async with TikTokShopOAuth(APP_KEY, APP_SECRET, transport=transport) as oauth:
        with pytest.raises(ResponseDecodeError, match=field) as caught:
            await oauth.refresh("refresh-1")
    assert CORE not in shown(caught.value)


async def test_a_malformed_token_in_the_store_is_an_error_that_quotes_nothing() -> None:
    class Store(MemoryTokenStore):
        async def put(self, key: str, value: bytes, *, version: int) -> int:
            odd = value.replace(b"access-1", f"{CORE}\\n".encode())
            return await super().put(key, odd, version=version)

    transport = httpx.MockTransport(lambda _: with_data(DOCUMENT))
    store = Store()
    async with TikTokShopOAuth(APP_KEY, APP_SECRET, transport=transport) as oauth:
        async with Authorizations(oauth, store) as authorizations:
            await authorizations.add(new_token(open_id="user-7"))
        async with Authorizations(oauth, store) as authorizations:
            auth = authorizations.auth("user-7")
            async with new_client(FakeShop().answer({}), auth=auth) as client:
                with pytest.raises(TokenStoreError) as caught:
                    await client.authorization.get_authorized_shops()
    assert CORE not in shown(caught.value)


async def test_a_malformed_cipher_from_the_service_is_an_error_that_quotes_nothing() -> None:
    shop = FakeShop().answer({"shops": [{"id": "7", "cipher": f"{CORE}\n"}]})
    async with new_client(shop) as client:
        with pytest.raises(TikTokShopError, match="shop_cipher") as caught:
            await client.for_shop(shop_id="7").order.get_order_detail(ids=["1"])
    assert CORE not in shown(caught.value)


async def test_well_formed_credentials_reach_the_wire_unchanged() -> None:
    shop = FakeShop().answer({})
    async with new_client(shop) as client:
        await client.order.get_order_detail(ids=["1"])
    assert shop.last.headers["x-tts-access-token"] == ACCESS_TOKEN
    assert shop.last.url.params["shop_cipher"] == SHOP_CIPHER
