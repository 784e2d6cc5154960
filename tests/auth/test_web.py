"""The routes of an authorization in Starlette and FastAPI, walked through as a browser does."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
from collections.abc import Callable
from html import escape
from http import HTTPStatus
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import attrs
import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from helpers.auth.consent import oauth_of
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount

from tiktok_shop_async import (
    AuthorizationDeniedError,
    AuthorizationError,
    OutcomeUnknownError,
    ReauthorizationRequiredError,
    StateError,
    StateExpiredError,
    TikTokShopError,
    TokenStoreError,
)
from tiktok_shop_async.auth import Authorizations, MemoryTokenStore, StateSigner
from tiktok_shop_async.auth.web import Authorized, OAuthRoutes
from tiktok_shop_async.sandbox import DEMO_APP_KEY, DEMO_SERVICE_ID, run_sandbox
from tiktok_shop_async.testing.sandboxes import create_sandbox

HOST = "app.example"
BEGIN_AGAIN = "/tiktok/start"


def in_starlette(routes: OAuthRoutes) -> Starlette:
    return Starlette(routes=[Mount("/tiktok", app=routes)])


def in_fastapi(routes: OAuthRoutes) -> FastAPI:
    app = FastAPI()
    app.mount("/tiktok", routes)
    return app


async def plain_welcome(request: Request, authorized: Authorized) -> Response:
    return PlainTextResponse(str(authorized.token.user_type))


class Backend:
    """An application with our routes, a sandbox that knows it, and a browser."""

    def __init__(
        self,
        framework: Callable[[OAuthRoutes], Any] = in_starlette,
        *,
        scheme: str = "https",
        welcome: Any = None,
        **options: Any,
    ) -> None:
        self.shop = create_sandbox()
        self.url = f"{scheme}://{HOST}"
        apps = self.shop.market.apps
        redirect_url = f"{self.url}/tiktok/callback"
        apps[DEMO_APP_KEY] = attrs.evolve(apps[DEMO_APP_KEY], redirect_url=redirect_url)
        self.loses_answers = False
        self.exchanges = 0
        self.authorized: list[Authorized] = []
        self.store = MemoryTokenStore()
        self.authorizations = Authorizations(
            oauth_of(self.shop, transport=httpx.MockTransport(self._sent)),
            self.store,
            clock=self.shop.clock,
        )
        routes = OAuthRoutes(
            self.authorizations,
            StateSigner("a-secret-of-sixteen-or-more", clock=self.shop.clock),
            welcome or self._welcome,
            **options,
        )
        self.app = framework(routes)
        self.browser = self.new_browser()

    def new_browser(self) -> httpx.AsyncClient:
        """Return one without cookies."""
        return httpx.AsyncClient(
            transport=self.shop.transport,
            mounts={f"all://{HOST}": httpx.ASGITransport(self.app)},
            base_url=self.url,
        )

    async def _welcome(self, request: Request, authorized: Authorized) -> Response:
        self.authorized.append(authorized)
        async with self.shop.client(
            access_token=None, shop_cipher=None, auth=authorized.auth
        ) as client:
            shops = (await client.authorization.get_authorized_shops()).data.shops
        return JSONResponse([authorized.data, *[shop.name for shop in shops]])

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        self.exchanges += 1
        assert self.shop.transport is not None
        response = await self.shop.transport.handle_async_request(request)
        await response.aread()
        if self.loses_answers:
            raise httpx.ReadError("reset")
        return response

    async def start(self, query: str = "") -> str:
        """Open our page, and return the platform's that it leads to."""
        answer = await self.browser.get(f"/tiktok/start{query}")
        assert answer.status_code == HTTPStatus.SEE_OTHER, answer.text
        return str(answer.headers["location"])

    async def decide(self, page: str, decision: str = "approve") -> str:
        """Look at the platform's page, decide, and return where that leads."""
        assert "Approve" in (await self.browser.get(page)).text
        role = dict(parse_qsl(urlsplit(page).query)).get("role", "seller")
        answer = await self.browser.post(page, data={"decision": decision, "role": role})
        return str(answer.headers["location"])

    async def approved(self) -> str:
        return await self.decide(await self.start())


class Errors:
    """An application's own page for what goes wrong."""

    def __init__(self) -> None:
        self.seen: list[TikTokShopError] = []

    async def __call__(self, request: Request, error: TikTokShopError) -> Response:
        self.seen.append(error)
        return PlainTextResponse("ours", 418)


@pytest.mark.parametrize("framework", [in_starlette, in_fastapi])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_seller_authorizes_and_calls_go_out(framework: Any, scheme: str) -> None:
    backend = Backend(framework, scheme=scheme, state_data=lambda request: {"user": 7})
    callback = await backend.approved()
    answer = await backend.browser.get(callback)
    assert answer.json() == [{"user": 7}, "Sandbox Goods", "Sandbox Goods UK"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    token = backend.authorized[0].token
    assert backend.authorizations.auth(token.open_id).authorization is not None
    assert not backend.browser.cookies


@pytest.mark.parametrize(
    ("query", "user_type"), [("?role=partner&region=row", 3), ("?role=creator", 1), ("", 0)]
)
async def test_links_choose_whose_authorization_it_is(query: str, user_type: int) -> None:
    backend = Backend(welcome=plain_welcome)
    answer = await backend.browser.get(await backend.decide(await backend.start(query)))
    assert answer.text == str(user_type)


@pytest.mark.parametrize("query", ["role=<script>", "region=moon"])
async def test_a_link_with_an_unknown_role_or_region_is_rejected_as_such(
    query: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Anyone can follow such a link, so it is logged as INFO, not as a warning."""
    with caplog.at_level(logging.DEBUG):
        answer = await Backend().browser.get(f"/tiktok/start?{query}")
    assert (answer.status_code, "script" in answer.text) == (400, False)
    assert "This link is not valid." in answer.text
    (record,) = [each for each in caplog.records if each.name.startswith("tiktok_shop_async")]
    assert record.levelno == logging.INFO
    assert query.partition("=")[2] in record.getMessage()


async def test_a_mistake_of_the_application_is_not_blamed_on_the_user(
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = Backend(state_data=lambda request: token_urlsafe(3000))
    answer = await backend.browser.get("/tiktok/start")
    assert answer.status_code == 500
    assert "too old" not in answer.text
    assert "makes the state too long" in caplog.text


@pytest.mark.parametrize("query", ["role=seller&region=row", "role=partner&region=us"])
@pytest.mark.parametrize("is_late", [False, True])
async def test_who_begins_again_begins_with_the_same_role_and_region(
    query: str, is_late: bool
) -> None:
    backend = Backend()
    callback = await backend.decide(await backend.start(f"?{query}"), "deny")
    backend.shop.clock.advance(601 if is_late else 0)
    answer = await backend.browser.get(callback)
    assert answer.status_code == (400 if is_late else 403)
    assert f"href='{BEGIN_AGAIN}?{escape(query)}'" in answer.text


async def test_a_browser_still_has_the_cookie_of_a_state_that_expired() -> None:
    """Otherwise a late callback could not be told from one of another browser."""
    answer = await Backend(max_age=60).browser.get("/tiktok/start")
    (max_age,) = re.findall(r"Max-Age=(\d+)", answer.headers["set-cookie"])
    assert int(max_age) >= 60 + 3600


async def denied(backend: Backend) -> str:
    return await backend.decide(await backend.start(), "deny")


async def with_a_forged_state(backend: Backend) -> str:
    callback = httpx.URL(await backend.approved())
    (nonce,) = backend.browser.cookies.values()
    forged = StateSigner("another-secret-of-sixteen").make(nonce=nonce)
    return str(callback.copy_set_param("state", forged))


async def without_a_state(backend: Backend) -> str:
    return str(httpx.URL(await backend.approved()).copy_remove_param("state"))


async def too_late(backend: Backend) -> str:
    callback = await backend.approved()
    backend.shop.clock.advance(601)
    return callback


async def begun_in_another_browser(backend: Backend) -> str:
    """Somebody leads our user's browser to a code of his own shop."""
    callback = await backend.approved()
    backend.browser = backend.new_browser()
    await backend.start()
    return callback


async def without_the_cookie(backend: Backend) -> str:
    callback = await backend.approved()
    backend.browser.cookies.clear()
    return callback


async def with_a_used_code(backend: Backend) -> str:
    callback = await backend.approved()
    await backend.authorizations.oauth.exchange(httpx.URL(callback).params["code"])
    return callback


async def for_another_app(backend: Backend) -> str:
    return str(httpx.URL(await backend.approved()).copy_set_param("app_key", "other"))


async def without_a_code(backend: Backend) -> str:
    return str(httpx.URL(await backend.approved()).copy_remove_param("code"))


async def with_a_lost_answer(backend: Backend) -> str:
    callback = await backend.approved()
    backend.loses_answers = True
    return callback


async def with_a_broken_store(backend: Backend) -> str:
    async def put(key: str, value: bytes, *, version: int) -> int:
        raise TokenStoreError("the database is gone.")

    backend.store.put = put  # type: ignore[method-assign]
    return await backend.approved()


REJECTED_STATES: list[tuple[Any, type[TikTokShopError], int]] = [
    (with_a_forged_state, StateError, 400),
    (without_a_state, StateError, 400),
    (too_late, StateExpiredError, 400),
    (begun_in_another_browser, StateError, 400),
    (without_the_cookie, StateError, 400),
]
FAILURES: list[tuple[Any, type[TikTokShopError], int]] = [
    *REJECTED_STATES,
    (denied, AuthorizationDeniedError, 403),
    (with_a_used_code, ReauthorizationRequiredError, 400),
    (for_another_app, AuthorizationError, 400),
    (without_a_code, AuthorizationError, 400),
    (with_a_lost_answer, OutcomeUnknownError, 502),
    (with_a_broken_store, TokenStoreError, 500),
]


@pytest.mark.parametrize(("way", "kind", "status"), FAILURES)
async def test_nothing_comes_of_it(
    way: Any, kind: type[TikTokShopError], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The user gets a page, the log a reason, and no secret is in any of them.

    The cookie goes with an accepted state alone.
    """
    backend = Backend()
    with caplog.at_level(logging.DEBUG):
        callback = await way(backend)
        before = dict(backend.browser.cookies)
        answer = await backend.browser.get(callback)
    assert (answer.status_code, backend.authorized) == (status, [])
    assert f"href='{BEGIN_AGAIN}" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    is_rejected = way in [rejected for rejected, _, _ in REJECTED_STATES]
    assert dict(backend.browser.cookies) == (before if is_rejected else {})
    logged = [record for record in caplog.records if record.name.startswith("tiktok_shop_async")]
    assert len(logged) == 1
    code = httpx.URL(callback).params.get("code")
    for text in (answer.text, logged[0].getMessage()):
        assert backend.shop.app_secret not in text
        assert code is None or code not in text


@pytest.mark.parametrize(("way", "kind"), [failure[:2] for failure in FAILURES])
async def test_an_application_has_its_own_page_for_that(
    way: Any, kind: type[TikTokShopError]
) -> None:
    seen: list[TikTokShopError] = []

    async def on_error(request: Request, error: TikTokShopError) -> Response:
        seen.append(error)
        return PlainTextResponse("ours", 418)

    backend = Backend(on_error=on_error)
    callback = await way(backend)
    answer = await backend.browser.get(callback)
    assert (answer.status_code, answer.text) == (418, "ours")
    assert [type(error) for error in seen] == [kind]


@pytest.mark.parametrize("way", [with_a_forged_state, too_late, begun_in_another_browser, denied])
async def test_what_is_not_ours_is_never_exchanged(way: Any) -> None:
    backend = Backend()
    callback = await way(backend)
    await backend.browser.get(callback)
    assert backend.exchanges == 0


async def test_a_callback_works_once() -> None:
    backend = Backend()
    callback = await backend.approved()
    assert (await backend.browser.get(callback)).status_code == 200
    assert (await backend.browser.get(callback)).status_code == 400
    assert (len(backend.authorized), backend.exchanges) == (1, 1)


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT"])
async def test_a_preview_of_the_link_uses_no_code_up(method: str) -> None:
    backend = Backend()
    callback = await backend.approved()
    assert (await backend.browser.request(method, callback)).status_code == 405
    assert (await backend.browser.get(callback)).status_code == 200


async def test_the_documented_application_works_over_http() -> None:
    page = (Path(__file__).parents[2] / "docs" / "oauth.md").read_text()
    snippet = page.partition("```python\n")[2].partition("```")[0]
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with run_sandbox(orders=0, redirect_url=f"{url}/tiktok/callback") as sandbox:
        for ours, theirs in [
            ('"your app key"', f'"{sandbox.app_key}", base_url="{sandbox.base_url}"'),
            (', "your app secret"', f', app_secret="{sandbox.app_secret}"'),
            ("your service id", DEMO_SERVICE_ID),
        ]:
            snippet = snippet.replace(ours, theirs)
        names: dict[str, Any] = {}
        exec(snippet, names)  # noqa: S102 - our own page
        server = uvicorn.Server(uvicorn.Config(names["app"], log_config=None, ws="none"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        async with httpx.AsyncClient(follow_redirects=True) as browser:
            question = await browser.get(f"{url}/tiktok/start")
            answer = await browser.post(question.url, data={"decision": "approve"})
        server.should_exit = True
        await serving
    assert answer.text == "<p>Connected: Sandbox Goods, Sandbox Goods UK</p>"


async def test_the_time_for_the_authorize_page_is_set_by_the_application() -> None:
    backend = Backend(max_age=60)
    late = await backend.approved()
    backend.shop.clock.advance(61)
    assert (await backend.browser.get(late)).status_code == 400
    in_time = await backend.approved()
    backend.shop.clock.advance(59)
    assert (await backend.browser.get(in_time)).status_code == 200


async def test_an_application_may_refuse_to_begin() -> None:
    async def only_members(request: Request) -> Any:
        raise HTTPException(403)

    backend = Backend(in_fastapi, state_data=only_members)
    answer = await backend.browser.get("/tiktok/start")
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


async def test_the_second_authorization_of_a_seller_takes_the_place_of_the_first() -> None:
    backend = Backend()
    for _ in range(2):
        assert (await backend.browser.get(await backend.approved())).status_code == 200
    first, second = backend.authorized
    assert first.token != second.token
    assert first.auth.access_token == second.auth.access_token == second.token.access_token
