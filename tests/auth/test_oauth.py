"""From an authorize page to a token, against the sandbox, and what can go wrong in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import respx
from auth.consent import (
    CODE,
    DOCUMENT,
    LATER,
    REFRESH_TOKEN,
    SOON,
    answering,
    code_of,
    decided,
    oauth_of,
    with_data,
)
from hypothesis import given
from hypothesis import strategies as st

from tiktok_shop_async import (
    ClientClosedError,
    ConnectError,
    InvalidArgumentError,
    OutcomeUnknownError,
    RateLimitError,
    ReauthorizationRequiredError,
    RequestTimeoutError,
    ResponseDecodeError,
    ServiceUnavailableError,
    SignatureError,
    TikTokShopError,
    TikTokShopOAuth,
    Token,
    TransportError,
)
from tiktok_shop_async.auth import UserType, parse_redirect
from tiktok_shop_async.sandbox import DEMO_APP_KEY, DEMO_REFRESH_TOKEN, Sandbox, run_sandbox
from tiktok_shop_async.testing.sandboxes import create_sandbox


@pytest.fixture
def shop() -> Sandbox:
    return create_sandbox()


@pytest.fixture
async def oauth(shop: Sandbox) -> AsyncIterator[TikTokShopOAuth]:
    async with oauth_of(shop) as oauth:
        yield oauth


@pytest.mark.parametrize(
    ("role", "region", "page"),
    [
        ("seller", "us", "services.us.tiktokshop.com/open/authorize"),
        ("seller", "row", "services.tiktokshop.com/open/authorize"),
        ("partner", "us", "partner.us.tiktokshop.com/open/authorize"),
        ("partner", "row", "partner.tiktokshop.com/open/authorize"),
        ("creator", "us", "shop.tiktok.com/alliance/creator/auth"),
        ("creator", "row", "shop.tiktok.com/alliance/creator/auth"),
    ],
)
def test_each_role_has_its_page(role: Any, region: Any, page: str) -> None:
    oauth = TikTokShopOAuth("key", "secret", service_id="738")
    url = urlsplit(oauth.authorization_url(role, region, "a b&+/=é"))
    assert (url.scheme, url.netloc + url.path) == ("https", page)
    app = {"app_key": ["key"]} if role == "creator" else {"service_id": ["738"]}
    assert parse_qs(url.query) == {**app, "state": ["a b&+/=é"]}


@pytest.mark.parametrize(
    ("service_id", "arguments", "named"),
    [
        (None, {}, "service_id"),
        ("738", {"role": "creator"}, "state"),
        ("738", {"role": "buyer"}, "role"),
        ("738", {"region": "eu"}, "region"),
    ],
)
def test_a_page_that_cannot_work_is_refused(
    service_id: str | None, arguments: dict[str, Any], named: str
) -> None:
    oauth = TikTokShopOAuth("key", "secret", service_id=service_id)
    with pytest.raises(InvalidArgumentError) as caught:
        oauth.authorization_url(**arguments)
    assert caught.value.argument == named


@pytest.mark.parametrize("role", ["seller", "partner", "creator"])
async def test_a_code_becomes_a_token(shop: Sandbox, oauth: TikTokShopOAuth, role: Any) -> None:
    response = parse_redirect(await decided(shop, oauth.authorization_url(role, state="a b&c")))
    assert (response.state, response.app_key) == ("a b&c", DEMO_APP_KEY)
    token = await oauth.exchange(response.code)
    assert token.user_type == UserType[role.upper()]
    lasts = token.access_token_expires_at.timestamp() - shop.clock()
    assert lasts == pytest.approx(7 * 86_400, abs=60)
    assert token.refresh_token_expires_at > token.access_token_expires_at
    assert token.granted_scopes


async def test_the_token_is_good_for_calls(shop: Sandbox, oauth: TikTokShopOAuth) -> None:
    token = await oauth.exchange(await code_of(shop, oauth))
    async with shop.client(access_token=token.access_token) as client:
        shops = (await client.authorization.get_authorized_shops()).data.shops
    assert [each.region for each in shops] == ["US", "GB"]


async def test_a_code_works_once(shop: Sandbox, oauth: TikTokShopOAuth) -> None:
    code = await code_of(shop, oauth)
    await oauth.exchange(code)
    with pytest.raises(ReauthorizationRequiredError) as caught:
        await oauth.exchange(code)
    assert (caught.value.code, caught.value.operation) == (36004004, "oauth.exchange")
    assert caught.value.request_id


async def test_a_refresh_replaces_both_tokens(shop: Sandbox, oauth: TikTokShopOAuth) -> None:
    token = await oauth.refresh(DEMO_REFRESH_TOKEN)
    assert token.refresh_token != DEMO_REFRESH_TOKEN
    assert token.access_token != shop.access_token
    with pytest.raises(ReauthorizationRequiredError) as caught:
        await oauth.refresh(DEMO_REFRESH_TOKEN)
    assert (caught.value.code, caught.value.operation) == (36004001, "oauth.refresh")
    assert (await oauth.refresh(token.refresh_token)).open_id == token.open_id


async def test_a_wrong_app_secret_is_called_so(shop: Sandbox) -> None:
    async with TikTokShopOAuth(
        DEMO_APP_KEY, "of another app", base_url=shop.base_url, transport=shop.transport
    ) as oauth:
        with pytest.raises(SignatureError) as caught:
            await oauth.refresh(DEMO_REFRESH_TOKEN)
    assert (caught.value.code, "of another app" in str(caught.value)) == (36009004, False)


async def test_our_own_connections_carry_it_over_http() -> None:
    async with (
        run_sandbox(orders=0) as sandbox,
        TikTokShopOAuth(sandbox.app_key, sandbox.app_secret, base_url=sandbox.base_url) as oauth,
    ):
        tokens = [await oauth.refresh(sandbox.refresh_token)]
        tokens.append(await oauth.refresh(tokens[0].refresh_token))
    assert tokens[0].access_token != tokens[1].access_token


async def test_the_request_is_the_documented_one() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return with_data(DOCUMENT)

    async with answering(answer) as oauth:
        await oauth.exchange("a+b/c=&d")
        await oauth.refresh(REFRESH_TOKEN)
    assert [(each.method, str(each.url.copy_with(query=None))) for each in seen] == [
        ("GET", "https://auth.tiktok-shops.com/api/v2/token/get"),
        ("GET", "https://auth.tiktok-shops.com/api/v2/token/refresh"),
    ]
    app = {"app_key": "app-key", "app_secret": "app-secret-c0ffee"}
    assert [dict(each.url.params) for each in seen] == [
        {**app, "auth_code": "a+b/c=&d", "grant_type": "authorized_code"},
        {**app, "refresh_token": REFRESH_TOKEN, "grant_type": "refresh_token"},
    ]
    assert b"+" not in seen[0].url.query


@respx.mock
async def test_respx_mocks_it_as_it_does_the_client() -> None:
    respx.get(host="auth.tiktok-shops.com", path="/api/v2/token/refresh").mock(
        return_value=with_data(DOCUMENT)
    )
    async with TikTokShopOAuth("key", "secret") as oauth:
        assert (await oauth.refresh(REFRESH_TOKEN)).seller_name == "Jjj test shop"


async def test_expiries_are_moments_in_spite_of_their_names() -> None:
    async with answering(with_data(DOCUMENT)) as oauth:
        token = await oauth.refresh(REFRESH_TOKEN)
    assert token.access_token_expires_at == datetime.fromtimestamp(SOON, UTC)
    assert token.refresh_token_expires_at == datetime.fromtimestamp(LATER, UTC)
    assert Token.from_document(token.as_document()) == token


UNREADABLE = [
    ("refresh_token", None),
    ("access_token", ""),
    ("access_token", 7),
    ("access_token_expire_in", 604_800),
    ("refresh_token_expire_in", "soon"),
    ("refresh_token_expire_in", [SOON]),
    ("access_token_expire_in", True),
    ("user_type", "seller"),
]


@pytest.mark.parametrize(("field", "value"), UNREADABLE)
async def test_there_is_no_half_a_token(field: str, value: Any) -> None:
    """Durations in place of moments count as unreadable: such a token would never be refreshed."""
    async with answering(with_data(DOCUMENT | {field: value})) as oauth:
        for call in (oauth.exchange(CODE), oauth.refresh(REFRESH_TOKEN)):
            with pytest.raises(ResponseDecodeError, match=field) as caught:
                await call
            assert caught.value.request_id == "2026REQ"
            assert not [
                text
                for text in DOCUMENT.values()
                if isinstance(text, str) and text in str(caught.value)
            ]


@pytest.mark.parametrize("data", [None, [], "token", 7])
async def test_success_without_a_token_is_no_success(data: Any) -> None:
    async with answering(with_data(data)) as oauth:
        with pytest.raises(ResponseDecodeError, match="token is missing"):
            await oauth.refresh(REFRESH_TOKEN)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from(sorted(DOCUMENT)), json_values).map(lambda odd: DOCUMENT | odd)
    | json_values
)
def test_any_answer_is_a_whole_token_or_an_error(document: Any) -> None:
    body = json.dumps({"code": 0, "message": "ok", "request_id": "1", "data": document})

    async def refreshed() -> Token:
        async with answering(httpx.Response(200, text=body)) as oauth:
            return await oauth.refresh(REFRESH_TOKEN)

    try:
        token = asyncio.run(refreshed())
    except ResponseDecodeError:
        return
    assert token.access_token
    assert token.refresh_token
    assert token.access_token_expires_at.year >= 2001
    assert Token.from_document(token.as_document()) == token


HTML = httpx.Response(200, html="<h1>Sign in to the hotel's network</h1>")
FAILURES: list[tuple[Any, type[TikTokShopError], bool]] = [
    (httpx.ConnectError("refused"), ConnectError, False),
    (httpx.ConnectTimeout("slow"), RequestTimeoutError, False),
    (httpx.ReadTimeout("slow"), RequestTimeoutError, True),
    (httpx.ReadError("reset"), TransportError, True),
    (httpx.RemoteProtocolError("closed without an answer"), TransportError, True),
    (httpx.Response(503, text="busy"), ServiceUnavailableError, True),
    (
        httpx.Response(200, json={"code": 36009003, "message": "Internal"}),
        ServiceUnavailableError,
        True,
    ),
    (HTML, ResponseDecodeError, True),
    (
        httpx.Response(302, headers={"location": "https://elsewhere.example"}),
        ResponseDecodeError,
        True,
    ),
    (httpx.Response(429, headers={"retry-after": "7"}), RateLimitError, False),
]


@pytest.mark.parametrize(("failure", "kind", "perhaps_used"), FAILURES)
async def test_a_lost_answer_leaves_it_open_whether_a_code_was_used(
    failure: Any, kind: type[TikTokShopError], perhaps_used: bool
) -> None:
    """A refresh says what happened, and may be sent again; a code may be used up by then."""
    async with answering(failure) as oauth:
        with pytest.raises(kind) as refreshing:
            await oauth.refresh(REFRESH_TOKEN)
        with pytest.raises(OutcomeUnknownError if perhaps_used else kind) as exchanging:
            await oauth.exchange(CODE)
    assert (refreshing.value.operation, exchanging.value.operation) == (
        "oauth.refresh",
        "oauth.exchange",
    )
    if perhaps_used:
        assert isinstance(exchanging.value.__cause__, kind)
        assert exchanging.value.http_status == refreshing.value.http_status


async def test_a_lost_exchange_can_be_tried_again(shop: Sandbox, oauth: TikTokShopOAuth) -> None:
    """The second one tells: a token, or the refusal of a used code."""
    sandbox, lost = shop.transport, []
    assert sandbox is not None

    class LosesFirstAnswer(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await sandbox.handle_async_request(request)
            if not lost:
                lost.append(response)
                raise httpx.ReadError("reset")
            return response

    code = await code_of(shop, oauth)
    async with oauth_of(shop, transport=LosesFirstAnswer()) as unlucky:
        with pytest.raises(OutcomeUnknownError):
            await unlucky.exchange(code)
        with pytest.raises(ReauthorizationRequiredError):
            await unlucky.exchange(code)


@pytest.mark.parametrize("value", ["", " ", "a b", "a\n", "naïve", "\x00", None, 7])
async def test_what_is_no_code_is_never_sent(value: Any) -> None:
    async with answering(AssertionError("sent")) as oauth:
        with pytest.raises(InvalidArgumentError) as caught:
            await oauth.exchange(value)
        assert caught.value.argument == "code"
        with pytest.raises(InvalidArgumentError) as caught:
            await oauth.refresh(value)
        assert caught.value.argument == "refresh_token"


async def test_it_is_closed_for_good(shop: Sandbox) -> None:
    async with oauth_of(shop) as oauth:
        assert "open" in repr(oauth)
    assert "closed" in repr(oauth)
    with pytest.raises(ClientClosedError):
        await oauth.refresh(DEMO_REFRESH_TOKEN)


def test_it_belongs_to_one_event_loop() -> None:
    oauth = answering(with_data(DOCUMENT))
    asyncio.run(oauth.refresh(REFRESH_TOKEN))
    with pytest.raises(ClientClosedError, match="event loop"):
        asyncio.run(oauth.refresh(REFRESH_TOKEN))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"app_key": ""}, "app_key"),
        ({"app_secret": ""}, "app_secret"),
        ({"base_url": "auth.tiktok-shops.com"}, "base_url"),
        ({"proxy": "http://p", "transport": httpx.MockTransport(lambda _: HTML)}, "transport"),
    ],
)
def test_arguments_that_cannot_work_are_refused(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        TikTokShopOAuth(**({"app_key": "key", "app_secret": "secret"} | arguments))
    assert caught.value.argument == named
