"""Several authorizations under way in one browser, and the cookies that keep them apart."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from itertools import permutations
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from auth.test_web import HOST, Backend, in_fastapi, in_starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from tiktok_shop_async.auth import StateSigner
from tiktok_shop_async.auth.web import Authorized

MAX_PENDING = 10
MAX_COOKIE_BYTES = 4096


async def welcome(request: Request, authorized: Authorized) -> Response:
    return PlainTextResponse(f"connected for {authorized.data}")


def backend_of(framework: Any = in_starlette, **options: Any) -> Backend:
    """Return a backend whose users are named by the query with which they begin."""
    return Backend(
        framework,
        welcome=welcome,
        state_data=lambda request: request.query_params.get("user"),
        **options,
    )


async def finish(backend: Backend, callback: str) -> tuple[int, str]:
    response = await backend.browser.get(callback)
    return response.status_code, response.text


def cookie_header(backend: Backend) -> str:
    request = httpx.Request("GET", f"{backend.url}/tiktok/callback")
    backend.browser.cookies.set_cookie_header(request)
    return request.headers.get("cookie", "")


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_tabs_of_one_browser_end_in_any_order(scheme: str, order: tuple[int, ...]) -> None:
    backend = backend_of(in_fastapi, scheme=scheme)
    pages = [await backend.start(f"?user={number}") for number in range(3)]
    callbacks = [await backend.decide(page) for page in pages]
    for number in order:
        assert await finish(backend, callbacks[number]) == (200, f"connected for {number}")
    assert cookie_header(backend) == ""


async def test_tabs_that_begin_and_end_at_the_same_time_do_not_disturb_each_other() -> None:
    backend = backend_of()
    pages = await asyncio.gather(*(backend.start(f"?user={number}") for number in range(5)))
    callbacks = [await backend.decide(page) for page in pages]
    results = await asyncio.gather(*(finish(backend, callback) for callback in callbacks))
    assert results == [(200, f"connected for {number}") for number in range(5)]
    again = await asyncio.gather(*(finish(backend, callback) for callback in callbacks))
    assert [status for status, _ in again] == [400] * 5
    assert backend.exchanges == 5


async def foreign_state(backend: Backend) -> str:
    return StateSigner("another-secret-of-sixteen").make()


async def state_without_a_nonce(backend: Backend) -> str:
    """Of our signer, as for a callback by hand: good for every browser, so not for these routes."""
    return StateSigner("a-secret-of-sixteen-or-more", clock=backend.shop.clock).make()


async def state_of_another_browser(backend: Backend) -> str:
    mine, backend.browser = backend.browser, backend.new_browser()
    state = httpx.URL(await backend.approved()).params["state"]
    backend.browser = mine
    return state


async def expired_state(backend: Backend) -> str:
    state = httpx.URL(await backend.approved()).params["state"]
    backend.shop.clock.advance(601)
    return state


async def used_state(backend: Backend) -> str:
    callback = await backend.approved()
    await finish(backend, callback)
    return httpx.URL(callback).params["state"]


STATES = [
    foreign_state,
    state_without_a_nonce,
    state_of_another_browser,
    expired_state,
    used_state,
    None,
    "",
    "x" * 5000,
    "\ud800\x00é",
]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("query", [{"code": "1"}, {"error": "auth_denied"}, {}])
async def test_a_link_with_a_rejected_state_disturbs_nothing(
    state: Any, query: dict[str, str]
) -> None:
    backend = backend_of()
    rejected = await state(backend) if callable(state) else state
    callback = await backend.decide(await backend.start("?user=1"))
    before, exchanges = cookie_header(backend), backend.exchanges
    parameters = query if rejected is None else {**query, "state": rejected}
    link = f"/tiktok/callback?{urlencode(parameters, errors='surrogatepass')}"
    response = await backend.browser.get(link)
    assert (response.status_code, "set-cookie" in response.headers) == (400, False)
    assert (cookie_header(backend), backend.exchanges) == (before, exchanges)
    assert await finish(backend, callback) == (200, "connected for 1")


async def test_a_denial_ends_its_own_authorization_alone() -> None:
    backend = backend_of()
    first, second = [await backend.start(f"?user={number}") for number in (1, 2)]
    denial = await backend.decide(first, "deny")
    callback = await backend.decide(second)
    assert (await finish(backend, denial))[0] == HTTPStatus.FORBIDDEN
    assert (await finish(backend, denial))[0] == HTTPStatus.BAD_REQUEST
    assert await finish(backend, callback) == (200, "connected for 2")


async def test_an_accepted_state_is_used_up_in_every_worker() -> None:
    backend = backend_of()
    callback = await backend.approved()
    other = backend_of()
    other.browser.cookies = backend.browser.cookies.jar  # shared, not copied
    assert (await finish(backend, callback))[0] == 200
    assert (await finish(other, callback))[0] == 400
    assert other.exchanges == 0


async def test_a_worker_completes_what_another_one_began() -> None:
    beginning, ending = backend_of(), backend_of()
    callback = httpx.URL(await beginning.approved())
    code = httpx.URL(await ending.approved()).params["code"]
    ending.browser.cookies = beginning.browser.cookies
    assert (await finish(ending, str(callback.copy_set_param("code", code))))[0] == 200


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_the_oldest_are_dropped_where_too_many_are_begun(scheme: str) -> None:
    backend = backend_of(scheme=scheme)
    pages = []
    for number in range(3 * MAX_PENDING):
        pages.append(await backend.start(f"?user={number}"))
        assert len(cookie_header(backend)) < MAX_COOKIE_BYTES
        assert len(backend.browser.cookies) <= MAX_PENDING
    kept = range(2 * MAX_PENDING, 3 * MAX_PENDING)
    dropped = await backend.decide(pages[kept[0] - 1])
    assert (await finish(backend, dropped))[0] == 400
    for number in kept:
        callback = await backend.decide(pages[number])
        assert await finish(backend, callback) == (200, f"connected for {number}")


async def test_cookies_of_the_application_stay_as_they_are() -> None:
    backend = backend_of()
    backend.browser.cookies.set("session", "mine", domain=HOST)
    for _ in range(2 * MAX_PENDING):
        await backend.start()
    await finish(backend, await backend.approved())
    assert backend.browser.cookies["session"] == "mine"


def attributes(response: httpx.Response) -> tuple[str, set[str]]:
    """Return the name of the one cookie that a response sets, and its attributes."""
    (header,) = response.headers.get_list("set-cookie")
    pair, *rest = header.split("; ")
    return pair.partition("=")[0], {each.partition("=")[0].lower() for each in rest} | {
        each for each in rest if "=" in each and not each.startswith(("expires", "Max-Age"))
    }


@pytest.mark.parametrize("step", ["start", "callback"])
async def test_over_https_browsers_take_the_cookie_from_this_host_alone(step: str) -> None:
    """Deleting it too: browsers ignore a cookie of this prefix that lacks an attribute."""
    backend = backend_of()
    response = await backend.browser.get(
        "/tiktok/start" if step == "start" else await backend.approved()
    )
    name, found = attributes(response)
    assert name.startswith("__Host-tiktok_shop_authorization_")
    assert {"secure", "httponly", "Path=/", "SameSite=lax"} <= found
    assert "domain" not in found
    assert f"Max-Age={4200 if step == 'start' else 0}" in response.headers["set-cookie"]


@pytest.mark.parametrize("step", ["start", "callback"])
async def test_over_http_the_cookie_has_a_plain_name(step: str) -> None:
    backend = backend_of(scheme="http")
    response = await backend.browser.get(
        "/tiktok/start" if step == "start" else await backend.approved()
    )
    name, found = attributes(response)
    assert name.startswith("tiktok_shop_authorization_")
    assert {"httponly", "Path=/", "SameSite=lax"} <= found
    assert not {"secure", "domain"} & found


async def test_the_cookie_cannot_be_told_from_the_link() -> None:
    backend = backend_of()
    page = await backend.start()
    (nonce,) = backend.browser.cookies.values()
    assert len(nonce) >= 32
    assert nonce not in page


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_behind_a_proxy_the_server_says_whether_it_is_https(is_trusted: bool) -> None:
    """As ``uvicorn --proxy-headers`` does; a header of the client's own changes nothing."""
    backend = backend_of(scheme="http")
    app = ProxyHeadersMiddleware(
        backend.app, trusted_hosts="127.0.0.1" if is_trusted else "10.0.0.1"
    )
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as proxy:
        headers = {"X-Forwarded-Proto": "https"}
        response = await proxy.get("/tiktok/start", headers=headers)
        name, found = attributes(response)
        assert (name.startswith("__Host-"), "secure" in found) == (is_trusted, is_trusted)
        callback = httpx.URL(await backend.decide(response.headers["location"]))
        # The proxy talks HTTP, so its jar would keep back what is for HTTPS.
        headers["Cookie"] = response.headers["set-cookie"].partition(";")[0]
        response = await proxy.get(callback.raw_path.decode(), headers=headers)
    assert response.status_code == 200
    assert attributes(response)[0] == name
