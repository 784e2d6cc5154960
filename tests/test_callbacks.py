"""Users' callbacks: exceptions that they raise do not affect calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from limits.service import KEY
from limits.virtual_time import VirtualTimeLoop, now, run
from support import FakeShop, new_client

from tiktok_shop_async import InvalidArgumentError
from tiktok_shop_async._internal.callbacks import Callback, reject_coroutine_function
from tiktok_shop_async.events import AttemptStarted, CallEvent
from tiktok_shop_async.limits import LearningLimiter, LimitedRate

logger = logging.getLogger("tiktok_shop_async.test")


def callback(function: Callable[[str], object], **options: Any) -> Callback[str]:
    return Callback(function, "progress", logger, **options)


def fail(_: object) -> None:
    raise ZeroDivisionError


async def fail_later(_: object) -> None:
    await asyncio.sleep(0)
    raise ZeroDivisionError


class AsyncObject:
    async def __call__(self, _: object) -> None:
        raise NotImplementedError


class TestOneCallback:
    @pytest.mark.parametrize("function", [fail, fail_later])
    async def test_what_it_raises_is_logged_with_its_name_and_the_event(
        self, function: Callable[[str], object], caplog: pytest.LogCaptureFixture
    ) -> None:
        notify = callback(function, describe=str)
        notify("half way")
        await notify.settle()
        assert caplog.messages == ["progress failed on half way"]
        assert "ZeroDivisionError" in caplog.text
        await notify.wait("the end")
        assert caplog.messages[1:] == ["progress failed on the end"]

    async def test_the_log_shows_an_events_type_where_nothing_else_is_chosen(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        callback(fail)("a secret")
        assert caplog.messages == ["progress failed on str"]

    async def test_a_coroutine_function_runs_as_a_task_and_is_settled(self) -> None:
        done = list[str]()

        async def slow(event: str) -> None:
            await asyncio.sleep(0)
            done.append(event)

        notify = callback(slow)
        notify("a")
        notify("b")
        assert done == []
        await notify.settle()
        assert done == ["a", "b"]

    async def test_wait_returns_after_the_end_of_a_coroutine_function(self) -> None:
        done = list[str]()

        async def slow(event: str) -> None:
            await asyncio.sleep(0)
            done.append(event)

        await callback(slow).wait("a")
        assert done == ["a"]

    async def test_a_coroutine_function_may_settle_its_own_callback(self) -> None:
        async def handle(_: str) -> None:
            await notify.settle()

        notify = callback(handle)
        notify("a")
        async with asyncio.timeout(5):
            await notify.settle()

    async def test_soon_notifies_in_the_next_step(self) -> None:
        done = list[str]()
        callback(done.append).call_soon("a")
        assert done == []
        await asyncio.sleep(0)
        assert done == ["a"]

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
    async def test_what_is_no_exception_passes_through(self, error: type[BaseException]) -> None:
        def stop(_: str) -> None:
            raise error

        with pytest.raises(error):
            callback(stop)("a")
        with pytest.raises(error):
            await callback(stop).wait("a")


class TestWhatIsRejected:
    async def method(self, _: object) -> None:
        raise NotImplementedError

    @pytest.mark.parametrize(
        "function", [fail_later, partial(fail_later), AsyncObject(), AsyncObject().__call__]
    )
    def test_coroutine_functions_where_nothing_can_be_awaited(
        self, function: Callable[[object], object]
    ) -> None:
        with pytest.raises(InvalidArgumentError, match="plain function") as error:
            reject_coroutine_function("key", function)
        assert error.value.argument == "key"
        with pytest.raises(InvalidArgumentError):
            callback(function, awaitable=False)

    def test_what_cannot_be_called(self) -> None:
        with pytest.raises(InvalidArgumentError, match="progress must be callable, not 5"):
            callback(5)  # type: ignore[arg-type]

    async def test_a_plain_function_that_returns_a_coroutine_after_all(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        def returns_a_coroutine(event: str) -> object:
            return fail_later(event)

        callback(returns_a_coroutine, awaitable=False)("a")
        assert "plain function" in caplog.text, "and no coroutine is left unawaited"

    def test_a_coroutine_function_as_an_observer(self) -> None:
        async def observe(event: CallEvent) -> None:
            raise NotImplementedError

        with pytest.raises(InvalidArgumentError, match="observers") as error:
            new_client(observers=[observe])
        assert error.value.argument == "observers"

    def test_an_on_change_that_cannot_be_called(self) -> None:
        with pytest.raises(InvalidArgumentError) as error:
            LearningLimiter(on_change="print")  # type: ignore[arg-type]
        assert error.value.argument == "on_change"


class TestOnChangeOfALimiter:
    @pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError, None])
    def test_no_call_hangs_or_fails_when_it_raises(
        self, error: type[BaseException] | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Of 300 calls 224 hung when the callback of a rising rate raised in the timer."""
        calls = 0

        def raising(_: LimitedRate) -> None:
            nonlocal calls
            calls += 1
            if error is not None:
                raise error

        async def main() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            limiter = LearningLimiter(on_change=raising, clock=now)
            for _ in range(20):
                permit = await limiter.acquire(KEY)
            await limiter.throttled(permit)
            async with asyncio.timeout(600):
                await asyncio.gather(*(limiter.acquire(KEY) for _ in range(300)))

        run(main())
        assert calls > 1
        logged = "on_change failed on LimitedRate(app_key='app'" in caplog.text
        assert logged == (error is ZeroDivisionError)

    def test_a_program_that_ends_in_it_ends_and_loses_no_turn(self) -> None:
        """`SystemExit` leaves the loop, and those who wait are served when it runs on."""
        ended = False

        def end(rate: LimitedRate) -> None:
            nonlocal ended
            if not ended and rate.waiting:
                ended = True
                raise SystemExit

        async def all_calls(limiter: LearningLimiter) -> None:
            for _ in range(20):
                permit = await limiter.acquire(KEY)
            await limiter.throttled(permit)
            await asyncio.gather(*(limiter.acquire(KEY) for _ in range(300)))

        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            loop = runner.get_loop()
            limiter = LearningLimiter(on_change=end, clock=loop.time)
            work = loop.create_task(all_calls(limiter))
            with pytest.raises(SystemExit):
                loop.run_until_complete(work)
            assert ended
            loop.run_until_complete(asyncio.wait_for(work, 600))

    def test_a_coroutine_function_runs_beside_the_calls(self) -> None:
        seen = list[LimitedRate]()

        async def change(rate: LimitedRate) -> None:
            await asyncio.sleep(1)
            seen.append(rate)

        async def main() -> None:
            limiter = LearningLimiter(on_change=change, clock=now)
            await limiter.throttled(await limiter.acquire(KEY))
            assert seen == []
            await asyncio.sleep(2)
            assert len(seen) == 1

        run(main())

    def test_it_may_use_the_limiter(self) -> None:
        async def main() -> None:
            def change(_: LimitedRate) -> None:
                seen.extend(limiter.observe())

            seen = list[LimitedRate]()
            limiter = LearningLimiter(on_change=change, clock=now)
            await limiter.throttled(await limiter.acquire(KEY))
            await asyncio.sleep(0)
            assert len(seen) == 1

        run(main())


async def test_a_client_goes_on_when_an_observer_is_cancelled_by_hand(shop: FakeShop) -> None:
    """An observer that raises `CancelledError` ends that call, and gives its slot back."""
    raising = True

    def cancel(event: CallEvent) -> None:
        if raising and isinstance(event, AttemptStarted):
            raise asyncio.CancelledError

    shop.answer({})
    async with new_client(shop, observers=[cancel], max_in_flight=1) as client:
        for _ in range(3):
            with pytest.raises(asyncio.CancelledError):
                await client.order.get_order_detail(ids=["1"])
        raising = False
        async with asyncio.timeout(5):
            await client.order.get_order_detail(ids=["1"])
