"""The attempts of a call on the wire: which are retried, when, and what the caller gets."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from support import SECRETS, FakeShop, envelope, new_client

from tiktok_shop_async import (
    APIResponse,
    AsyncTikTokShop,
    ConnectError,
    InvalidArgumentError,
    InvalidRequestError,
    LeaseLostError,
    OutcomeUnknownError,
    RateLimitError,
    RequestOptions,
    RequestTimeoutError,
    ServiceUnavailableError,
    TikTokShopError,
    TransportError,
)
from tiktok_shop_async.events import (
    AttemptFinished,
    AttemptStarted,
    CallEvent,
    CallFinished,
    CallStarted,
    RetryScheduled,
    Throttled,
)
from tiktok_shop_async.limits import EndpointClass, FixedRate, LearningLimiter
from tiktok_shop_async.pipeline.retry import FailedAttempt

THROTTLED = {"code": 36009002, "message": "Too many requests"}
LOST = httpx.ReadError("reset")
UNSENT = httpx.ConnectError("refused")


class RetryWindow:
    """Waits no time, and remembers how long it should have."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)


def client_of(shop: FakeShop, **options: Any) -> AsyncTikTokShop:
    options = {"max_retries": 2, "sleep": RetryWindow()} | options
    return new_client(httpx.MockTransport(shop.handle_async_request), **options)


async def read(client: AsyncTikTokShop, **options: Any) -> APIResponse[Any]:
    return await client.order.get_order_detail(ids=["1"], options=RequestOptions(**options))


async def cancel(client: AsyncTikTokShop, **options: Any) -> APIResponse[Any]:
    return await client.return_refund.cancel_order(
        order_id="1", cancel_reason="x", options=RequestOptions(**options)
    )


async def approve(client: AsyncTikTokShop, **options: Any) -> APIResponse[Any]:
    return await client.return_refund.approve_return(
        return_id="1", decision="APPROVE_RETURN", options=RequestOptions(**options)
    )


async def test_a_read_is_sent_again_until_it_succeeds_each_time_signed_anew(
    shop: FakeShop,
) -> None:
    now = [1_700_000_000.0]
    shop.fail(LOST).answer_raw(b"busy", 503).answer({})

    async def sleep(_: float) -> None:
        now[0] += 1

    async with client_of(shop, sleep=sleep, clock=lambda: now[0]) as client:
        assert (await read(client)).attempts == 3
    sent = [request.url.params for request in shop.requests]
    assert [each["timestamp"] for each in sent] == ["1700000000", "1700000001", "1700000002"]
    assert len({each["sign"] for each in sent}) == 3


@pytest.mark.parametrize("call", [read, cancel, approve])
@pytest.mark.parametrize(("fault", "error"), [(UNSENT, ConnectError), (THROTTLED, RateLimitError)])
async def test_what_surely_was_not_processed_is_sent_again_writes_too(
    shop: FakeShop, call: Any, fault: Any, error: type[TikTokShopError]
) -> None:
    for _ in range(2):
        shop.fail(fault) if isinstance(fault, Exception) else shop.answer(**fault)
    shop.answer({})
    async with client_of(shop) as client:
        assert (await call(client)).attempts == 3
        shop.answers.clear()
        shop.fail(fault) if isinstance(fault, Exception) else shop.answer(**fault)
        with pytest.raises(error) as caught:
            await call(client)
    assert caught.value.attempts == 3
    assert "3 attempts" in str(caught.value)


@pytest.mark.parametrize(
    "fault",
    [LOST, httpx.ReadTimeout("late"), (b"", 503), (b"{}", 200), (b"<html>", 502)],
    ids=["reset", "timeout", "unavailable", "no envelope", "page of a proxy"],
)
async def test_a_write_that_may_have_happened_is_never_sent_again(
    shop: FakeShop, fault: Any
) -> None:
    shop.fail(fault) if isinstance(fault, Exception) else shop.answer_raw(*fault)
    async with client_of(shop) as client:
        with pytest.raises(OutcomeUnknownError, match="search_cancellations") as caught:
            await cancel(client)
    assert len(shop.requests) == 1
    assert isinstance(caught.value.__cause__, TikTokShopError)
    assert caught.value.idempotency_key is None


async def test_with_an_idempotency_key_it_is_sent_again_with_the_same_one(shop: FakeShop) -> None:
    shop.fail(LOST).answer_raw(b"", 503).answer({})
    async with client_of(shop) as client:
        await approve(client)
        await approve(client)
        await approve(client, idempotency_key="mine")
    keys = [request.url.params["idempotency_key"] for request in shop.requests]
    assert keys[0] == keys[1] == keys[2]
    assert len(set(keys)) == 3
    assert keys[-1] == "mine"


async def test_a_lost_attempt_followed_by_refusals_leaves_the_outcome_unknown(
    shop: FakeShop,
) -> None:
    """The last answer says that it was not processed; the first may have been, all the same."""
    shop.fail(LOST).answer(**THROTTLED)
    async with client_of(shop) as client:
        with pytest.raises(OutcomeUnknownError) as caught:
            await approve(client)
        key = shop.last.url.params["idempotency_key"]
    assert isinstance(caught.value.__cause__, RateLimitError)
    assert (caught.value.idempotency_key, caught.value.attempts) == (key, 3)


@pytest.mark.parametrize(
    ("client_says", "call_says", "attempts"), [(0, None, 1), (5, None, 6), (0, 1, 2), (5, 0, 1)]
)
async def test_max_retries_of_a_call_goes_before_that_of_the_client(
    shop: FakeShop, client_says: int, call_says: int | None, attempts: int
) -> None:
    shop.fail(LOST)
    async with client_of(shop, max_retries=client_says) as client:
        with pytest.raises(TransportError):
            await read(client, max_retries=call_says)
    assert len(shop.requests) == attempts


async def test_retry_after_is_a_minimum_and_one_that_is_too_long_is_not_waited_for(
    shop: FakeShop,
) -> None:
    for header in ("7", "Tue, 14 Nov 2023 22:13:29 GMT"):
        shop.answer_raw(json.dumps(THROTTLED).encode(), 429, retry_after=header)
    shop.answer({})
    patience = RetryWindow()
    async with client_of(shop, sleep=patience, clock=lambda: 1_700_000_000.0) as client:
        await read(client)
        first, second = patience.waits
        assert 7 <= first <= 8
        assert 9 <= second <= 10
        shop.answers.clear()
        shop.answer_raw(json.dumps(THROTTLED).encode(), 429, retry_after="3600")
        with pytest.raises(RateLimitError) as caught:
            await read(client)
    assert (caught.value.retry_after, len(patience.waits)) == (3600, 2)


async def test_the_hours_quota_is_not_tried_again(shop: FakeShop) -> None:
    shop.answer(code=36009037)
    async with client_of(shop) as client:
        with pytest.raises(RateLimitError, match="quota"):
            await read(client)
    assert len(shop.requests) == 1


async def test_a_policy_of_ones_own_decides_but_never_about_what_is_not_safe(
    shop: FakeShop,
) -> None:
    asked: list[tuple[str, type[Exception], int]] = []

    def policy(failed: FailedAttempt) -> float | None:
        asked.append((failed.operation.id, type(failed.error), failed.attempt))
        return 0.5 if failed.attempt < 3 else None

    shop.fail(LOST)
    patience = RetryWindow()
    async with client_of(shop, retry_policy=policy, max_retries=9, sleep=patience) as client:
        with pytest.raises(TransportError):
            await read(client)
        with pytest.raises(OutcomeUnknownError):
            await cancel(client)
    assert asked == [("order.get_order_detail", TransportError, n) for n in (1, 2, 3)]
    assert patience.waits == [0.5, 0.5]
    assert len(shop.requests) == 4


@pytest.mark.parametrize("seconds", [math.inf, math.nan])
async def test_a_policy_that_names_no_time_gives_up(shop: FakeShop, seconds: float) -> None:
    shop.answer_raw(json.dumps(THROTTLED).encode(), 429)
    patience = RetryWindow()
    client = client_of(shop, sleep=patience, retry_policy=lambda _: seconds)
    with pytest.raises(RateLimitError):
        await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
    assert not patience.waits
    assert len(shop.requests) == 1


async def test_a_broken_service_is_not_hammered(shop: FakeShop) -> None:
    """Of 1,000 calls that all fail, 100 are sent again; a call that succeeds pays back a tenth."""
    shop.fail(LOST)
    async with client_of(shop) as client:
        for _ in range(1000):
            with pytest.raises(TransportError):
                await read(client)
        assert len(shop.requests) == 1100
        shop.answers.clear()
        shop.answer({})
        for _ in range(11):
            await read(client)
        shop.answers.clear()
        shop.fail(LOST)
        before = len(shop.requests)
        with pytest.raises(TransportError):
            await read(client)
        assert len(shop.requests) == before + 2


async def test_an_open_file_that_cannot_be_read_twice_is_not_sent_again(shop: FakeShop) -> None:
    class Stream:
        name = "shirt.png"

        def __init__(self) -> None:
            self._parts = [b"picture", b""]

        def read(self, _: int = -1) -> bytes:
            return self._parts.pop(0)

        def seekable(self) -> bool:
            return False

    shop.fail(UNSENT)
    async with client_of(shop) as client:
        with pytest.raises(ConnectError):
            await client.product.upload_product_image(data=Stream())  # type: ignore[arg-type]
    assert len(shop.requests) == 1


class TestDeadline:
    async def test_no_attempt_begins_whose_wait_would_end_after_it(self, shop: FakeShop) -> None:
        shop.answer_raw(json.dumps(THROTTLED).encode(), 429, retry_after="30")
        async with client_of(shop, deadline=20.0) as client:
            with pytest.raises(RateLimitError):
                await cancel(client)
        assert len(shop.requests) == 1

    async def test_an_attempt_under_way_is_cut_and_a_write_may_have_happened(self) -> None:
        async def hang(_: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

        async with new_client(httpx.MockTransport(hang), deadline=60.0) as client:
            with pytest.raises(RequestTimeoutError, match=r"deadline of 0.01 seconds") as caught:
                await read(client, deadline=0.01)
            assert caught.value.maybe_sent
            with pytest.raises(OutcomeUnknownError):
                await cancel(client, deadline=0.01)
            assert client._session.slots.free == 100

    async def test_a_call_that_still_waits_for_its_place_was_surely_not_sent(self) -> None:
        async def hang(_: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

        async with new_client(httpx.MockTransport(hang), max_in_flight=1) as client:
            first = asyncio.ensure_future(read(client))
            await asyncio.sleep(0)
            with pytest.raises(RequestTimeoutError) as caught:
                await cancel(client, deadline=0.01)
            assert not caught.value.maybe_sent
            first.cancel()


@pytest.mark.parametrize("options", [{"max_retries": -1}, {"deadline": 0}, {"deadline": -1.0}])
async def test_options_that_mean_nothing_are_refused(
    shop: FakeShop, options: dict[str, Any]
) -> None:
    with pytest.raises(InvalidArgumentError, match=next(iter(options))):
        client_of(shop, **options)
    with pytest.raises(InvalidArgumentError, match=next(iter(options))):
        RequestOptions(**options)


class TestPlaces:
    async def test_high_goes_before_normal_before_low(self) -> None:
        order: list[str] = []
        async with one_place(lambda request: order.append(request.url.params["ids"])) as client:
            calls = [
                client.order.get_order_detail(
                    ids=[f"{priority}{n}"], options=RequestOptions(priority=priority)
                )
                for n in range(2)
                for priority in ("low", "normal", "high")
            ]
            await asyncio.gather(*calls)
        # The first one had its place before the others came.
        assert order == ["low0", "high0", "high1", "normal0", "normal1", "low1"]

    async def test_shops_take_turns(self) -> None:
        order: list[str] = []
        async with one_place(
            lambda request: order.append(request.url.params["shop_cipher"])
        ) as client:
            views = [client.for_shop(shop_cipher=shop) for shop in "aaaaabbc"]
            await asyncio.gather(*(view.order.get_order_detail(ids=["1"]) for view in views))
        assert "".join(order) == "aabcabaa"

    async def test_cancelled_waiters_leave_no_place_behind(self) -> None:
        """Cancelled at any moment, also just when their turn has come."""
        async with one_place(lambda _: None) as client:
            for moment in range(12):
                tasks = [asyncio.ensure_future(read(client)) for _ in range(4)]
                for _ in range(moment):
                    await asyncio.sleep(0)
                for task in tasks[::2]:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                assert client._session.slots.free == 1

    async def test_a_call_that_is_cancelled_at_any_step_leaves_nothing_behind(self) -> None:
        """While it waits for its rate or its place, is under way, or waits to be sent again."""
        under_way, step, is_done = 0, 0, False

        async def answer(_: httpx.Request) -> httpx.Response:
            nonlocal under_way
            under_way += 1
            try:
                for _ in range(3):
                    await asyncio.sleep(0)
            finally:
                under_way -= 1
            return httpx.Response(200, json=envelope(code=36009002))

        limiter = LearningLimiter(rates={EndpointClass.LIGHT_READ: FixedRate(1e6)})
        transport = httpx.MockTransport(answer)
        options: dict[str, Any] = {"max_in_flight": 1, "max_retries": 2, "sleep": RetryWindow()}
        async with new_client(transport, limiter=limiter, **options) as client:
            while not is_done:
                tasks = [asyncio.ensure_future(read(client)) for _ in range(3)]
                for _ in range(step):
                    await asyncio.sleep(0)
                is_done = all(task.done() for task in tasks)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                assert (client._session.slots.free, under_way) == (1, 0)
                step += 1
            assert [each.waiting for each in limiter.observe()] == [0]
        assert step > 30


def one_place(note: Callable[[httpx.Request], object]) -> AsyncTikTokShop:
    async def answer(request: httpx.Request) -> httpx.Response:
        note(request)
        await asyncio.sleep(0)
        return httpx.Response(200, json=envelope({}))

    return new_client(httpx.MockTransport(answer), max_in_flight=1)


class TestEvents:
    async def test_everything_that_happens_to_a_call_is_told_in_order(self, shop: FakeShop) -> None:
        told: list[CallEvent] = []
        shop.answer_raw(json.dumps({**THROTTLED, "request_id": "r-1"}).encode(), 429).answer({})
        async with client_of(shop, observers=[told.append]) as client:
            await cancel(client)
        kinds = [type(event) for event in told]
        assert kinds == [
            CallStarted,
            AttemptStarted,
            AttemptFinished,
            Throttled,
            RetryScheduled,
            AttemptStarted,
            AttemptFinished,
            CallFinished,
        ]
        assert len({event.call for event in told}) == 1
        call = told[0].call
        assert (call.operation, call.method) == ("return_refund.cancel_order", "POST")
        assert call.path == "/return_refund/202602/cancellations"
        first, last = told[2], told[-2]
        assert isinstance(first, AttemptFinished)
        assert (first.attempt, first.http_status, first.request_id) == (1, 429, "r-1")
        assert isinstance(first.error, RateLimitError)
        assert isinstance(last, AttemptFinished)
        assert (last.attempt, last.http_status, last.error) == (2, 200, None)
        finished = told[-1]
        assert isinstance(finished, CallFinished)
        assert (finished.attempts, finished.error) == (2, None)

    async def test_a_call_that_is_cancelled_is_finished_too(self) -> None:
        async def hang(_: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

        told: list[CallEvent] = []
        async with new_client(httpx.MockTransport(hang), observers=[told.append]) as client:
            task = asyncio.ensure_future(read(client))
            for _ in range(10):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        *_, attempt, call = told
        assert isinstance(attempt, AttemptFinished)
        assert isinstance(call, CallFinished)
        assert isinstance(attempt.error, asyncio.CancelledError)
        assert isinstance(call.error, asyncio.CancelledError)

    async def test_an_observer_that_fails_changes_nothing(
        self, shop: FakeShop, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken(_: CallEvent) -> None:
            raise ValueError("broken")

        told: list[CallEvent] = []
        shop.answer({})
        async with client_of(shop, observers=[broken, told.append]) as client:
            assert (await read(client)).code == 0
        assert len(told) == 4
        assert "an observer failed on CallStarted" in caplog.text

    async def test_the_log_tells_what_delays_a_call_and_no_secret(
        self, shop: FakeShop, caplog: pytest.LogCaptureFixture
    ) -> None:
        shop.answer(**THROTTLED).fail(httpx.ReadError(f"reset by {SECRETS[1]}")).answer({})
        caplog.set_level(logging.DEBUG, "tiktok_shop_async.calls")
        async with client_of(shop) as client:
            await read(client)
        ours = [each for each in caplog.records if each.name == "tiktok_shop_async.calls"]
        told = [each.getMessage() for each in ours if each.levelno >= logging.INFO]
        assert len(told) == 3
        assert told[0].startswith("order.get_order_detail: throttled")
        assert "attempt 1 failed, retrying in" in told[1]
        assert "attempt 2 failed, retrying in" in told[2]
        assert any("succeeded after 3 attempts" in each.getMessage() for each in ours)
        assert not any(secret in caplog.text for secret in SECRETS)

    async def test_nothing_is_logged_at_info_while_all_is_well(
        self, shop: FakeShop, caplog: pytest.LogCaptureFixture
    ) -> None:
        shop.answer({})
        caplog.set_level(logging.INFO, "tiktok_shop_async.calls")
        async with client_of(shop) as client:
            await read(client)
        assert not caplog.records


async def test_a_refusal_is_raised_at_once(shop: FakeShop) -> None:
    shop.answer(code=25001021, message="Reason does not fit")
    patience = RetryWindow()
    async with client_of(shop, sleep=patience) as client:
        with pytest.raises(InvalidRequestError):
            await cancel(client)
    assert (len(shop.requests), patience.waits) == (1, [])


async def test_a_service_that_keeps_failing_is_given_up(shop: FakeShop) -> None:
    shop.answer(code=36009003)
    async with client_of(shop) as client:
        with pytest.raises(ServiceUnavailableError, match="3 attempts"):
            await read(client)


async def test_before_sending_is_called_right_before_each_attempt(shop: FakeShop) -> None:
    """When the attempt has its token and its slot, and not for attempts that are not made."""
    seen: list[int] = []
    answers = asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        response = await shop.handle_async_request(request)
        await answers.wait()
        return response

    shop.answer(**THROTTLED)
    async with new_client(
        httpx.MockTransport(answer), max_in_flight=1, max_retries=2, sleep=RetryWindow()
    ) as client:
        options = {"before_sending": lambda: seen.append(len(shop.requests))}
        calls = [asyncio.create_task(cancel(client, **options)) for _ in range(2)]
        await asyncio.sleep(0.01)
        assert seen == [0], "the second one waits for its slot"
        answers.set()
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in results] == [RateLimitError, RateLimitError]
    assert seen == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("error", [LeaseLostError("late"), ZeroDivisionError()])
async def test_what_before_sending_raises_keeps_the_attempt_from_being_sent(
    shop: FakeShop, error: Exception
) -> None:
    def stop() -> None:
        raise error

    shop.answer({})
    async with client_of(shop) as client:
        with pytest.raises(type(error)):
            await cancel(client, before_sending=stop)
        assert shop.requests == []
        assert (await cancel(client)).attempts == 1, "its slot is free again"


async def test_before_sending_must_be_a_plain_function() -> None:
    async def check() -> None: ...

    for wrong in (check, 5):
        with pytest.raises(InvalidArgumentError, match="before_sending"):
            RequestOptions(before_sending=wrong)  # type: ignore[arg-type]
