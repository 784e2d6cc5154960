"""Whatever ends a call, a write that may have been processed raises `OutcomeUnknownError`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from outcomes.stubs import StubAuthorization, StubLimiter, hang, keyed_write, no_pause, read, write
from support import FakeShop, envelope, new_client

from tiktok_shop_async import (
    AsyncTikTokShop,
    OutcomeUnknownError,
    ReauthorizationRequiredError,
    RequestTimeoutError,
    TokenStoreError,
)

LOST = httpx.ReadError("reset")
EXPIRED = {"code": 105002, "message": "expired"}
THROTTLED = {"code": 36009002, "message": "slow down"}


def client_of(shop: FakeShop, **options: Any) -> AsyncTikTokShop:
    options = {"max_retries": 2, "sleep": no_pause} | options
    return new_client(httpx.MockTransport(shop.handle_async_request), **options)


def failing(error: BaseException) -> Callable[..., Awaitable[Any]]:
    async def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    "failure",
    [ReauthorizationRequiredError("gone"), TokenStoreError("down"), ValueError("a bug")],
    ids=lambda failure: type(failure).__name__,
)
async def test_a_refresh_that_fails_after_a_lost_attempt_leaves_the_outcome_unknown(
    shop: FakeShop, failure: Exception
) -> None:
    """The issue's case: attempt 1 is processed, attempt 2 gets 105002, the refresh fails."""
    authorization = StubAuthorization()
    authorization.on_replace = failing(failure)
    shop.fail(LOST).answer(**EXPIRED)
    async with client_of(shop, auth=authorization.state()) as client:
        with pytest.raises(OutcomeUnknownError) as caught:
            await keyed_write(client)
    assert caught.value.__cause__ is failure
    assert caught.value.idempotency_key == shop.last.url.params["idempotency_key"]
    assert caught.value.attempts == 2
    assert len(shop.requests) == 2


async def test_a_refresh_that_fails_after_a_refusal_is_its_own_error(shop: FakeShop) -> None:
    """Nothing was processed, so the call says what has to be done."""
    authorization = StubAuthorization()
    authorization.on_replace = failing(ReauthorizationRequiredError("gone"))
    shop.answer(**EXPIRED)
    async with client_of(shop, auth=authorization.state()) as client:
        for call in (read, write, keyed_write):
            with pytest.raises(ReauthorizationRequiredError):
                await call(client)


async def test_credentials_that_cannot_be_had_for_a_retry_leave_the_outcome_unknown(
    shop: FakeShop,
) -> None:
    authorization = StubAuthorization()

    async def sleep(_: float) -> None:
        authorization.ready = False

    authorization.on_prepare = failing(TokenStoreError("down"))
    shop.fail(LOST)
    async with client_of(shop, auth=authorization.state(), sleep=sleep) as client:
        with pytest.raises(OutcomeUnknownError) as caught:
            await keyed_write(client)
    assert isinstance(caught.value.__cause__, TokenStoreError)
    assert len(shop.requests) == 1


@pytest.mark.parametrize("where", ["policy", "limiter's acquire", "limiter's throttled", "sleep"])
async def test_what_a_users_own_code_raises_between_attempts_hides_no_lost_write(
    shop: FakeShop, where: str
) -> None:
    bug, limiter = ValueError("a bug"), StubLimiter()
    options: dict[str, Any] = {"limiter": limiter}

    def policy(failed: Any) -> float:
        if where == "policy" and failed.attempt == 2:
            raise bug
        return 1.0

    async def sleep(_: float) -> None:
        if where == "sleep":
            raise bug
        if where == "limiter's acquire":
            limiter.on_acquire = failing(bug)

    if where == "limiter's throttled":
        limiter.on_throttled = failing(bug)
    shop.fail(LOST).answer(**THROTTLED)
    async with client_of(shop, **options, sleep=sleep, retry_policy=policy) as client:
        with pytest.raises(OutcomeUnknownError) as caught:
            await keyed_write(client)
        assert caught.value.__cause__ is bug
        assert client._session.slots.free == 100
        with pytest.raises(ValueError, match="a bug"):
            await read_until_it_fails(client, shop)


async def read_until_it_fails(client: AsyncTikTokShop, shop: FakeShop) -> None:
    """Do the same with a read: the bug is raised as it is."""
    shop.answers[:] = [LOST, lambda _: httpx.Response(200, json=envelope(**THROTTLED))]
    client._session.limiter.on_acquire = None  # type: ignore[union-attr]
    await read(client)


async def test_an_error_nobody_foresaw_after_sending_leaves_the_outcome_unknown() -> None:
    """A transport's own bug: a read raises it, a write does not know."""

    async def answer(_: httpx.Request) -> httpx.Response:
        raise RuntimeError("a bug of the transport")

    async with new_client(httpx.MockTransport(answer)) as client:
        with pytest.raises(OutcomeUnknownError) as caught:
            await write(client)
        assert isinstance(caught.value.__cause__, RuntimeError)
        with pytest.raises(RuntimeError):
            await read(client)


async def test_an_error_before_sending_is_raised_as_it_is(shop: FakeShop) -> None:
    def clock() -> float:
        raise ValueError("a bug of the clock")

    shop.answer({})
    async with client_of(shop, clock=clock) as client:
        with pytest.raises(ValueError, match="clock"):
            await write(client)
    assert not shop.requests


async def test_a_cancellation_stays_one_after_any_attempt(shop: FakeShop) -> None:
    """And so do the errors that end a program."""
    shop.fail(LOST)
    async with client_of(shop, sleep=hang) as client:
        task = asyncio.ensure_future(keyed_write(client))
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    def stop(_: Any) -> float:
        raise SystemExit

    async with client_of(shop, retry_policy=stop) as client:
        with pytest.raises(SystemExit):
            await keyed_write(client)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("code", [0, 36009003, 36009007])
@pytest.mark.parametrize("max_retries", [0, 2])
async def test_a_write_that_may_have_been_processed_is_no_question_of_the_token(
    shop: FakeShop, status: int, code: int, max_retries: int
) -> None:
    """The issue's case: the store has a newer token, and the write was sent twice."""
    authorization = StubAuthorization()
    authorization.on_reload = authorization.renewed
    shop.answer_raw(json.dumps(envelope({}, code=code)).encode(), status).answer({})
    state = authorization.state()
    async with client_of(shop, auth=state, max_retries=max_retries) as client:
        with pytest.raises(OutcomeUnknownError):
            await write(client)
    assert len(shop.requests) == 1
    assert authorization.looks == 0


@pytest.mark.parametrize("call", [read, write, keyed_write])
async def test_a_refusal_about_the_token_is_followed_by_one_more_attempt(
    shop: FakeShop, call: Any
) -> None:
    """Another process has a new token in the store."""
    authorization = StubAuthorization()
    authorization.on_reload = authorization.renewed
    shop.answer(code=105005, message="no scope").answer({})
    async with client_of(shop, auth=authorization.state(), max_retries=0) as client:
        assert (await call(client)).attempts == 2


class TestDeadline:
    async def test_while_a_token_is_awaited_after_a_refusal_nothing_is_unknown(
        self, shop: FakeShop
    ) -> None:
        authorization = StubAuthorization()
        authorization.on_replace = hang
        shop.answer(**EXPIRED)
        async with client_of(shop, auth=authorization.state(), deadline=0.02) as client:
            with pytest.raises(RequestTimeoutError) as caught:
                await write(client)
        assert not caught.value.maybe_sent

    async def test_while_a_retry_waits_after_a_lost_attempt_the_outcome_is_unknown(
        self, shop: FakeShop
    ) -> None:
        def policy(_: Any) -> float:
            return 0.001

        shop.fail(LOST)
        options = {"deadline": 0.2, "sleep": hang, "retry_policy": policy}
        async with client_of(shop, **options) as client:
            with pytest.raises(OutcomeUnknownError) as caught:
                await keyed_write(client)
            assert isinstance(caught.value.__cause__, RequestTimeoutError)
            with pytest.raises(RequestTimeoutError) as of_a_read:
                await read(client)
        assert of_a_read.value.maybe_sent
