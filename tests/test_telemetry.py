"""OpenTelemetry: the spans and metrics of calls, all of which are ended."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import httpx
import pytest
from auth.world import World
from opentelemetry import trace
from opentelemetry.context import get_current
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from support import ACCESS_TOKEN, APP_SECRET, SECRETS, SHOP_CIPHER, FakeShop, new_client

from tiktok_shop_async import (
    AsyncTikTokShop,
    InvalidRequestError,
    OutcomeUnknownError,
    TikTokShopError,
)
from tiktok_shop_async._internal.movable_clock import MovableClock
from tiktok_shop_async.integrations.opentelemetry import OpenTelemetryObserver
from tiktok_shop_async.sandbox import FaultKind, FaultRule, Faults, run_sandbox

BASE = "https://open-api.tiktokglobalshop.com"
THROTTLED = {"code": 36009002, "message": "Too many requests"}
READ, READ_PATH = "order.get_order_detail", "/order/202507/orders"
DURATION, WAITS = "http.client.request.duration", "tiktok_shop.client.wait"
IN_FLIGHT = "tiktok_shop.client.in_flight"
ERRORS = "tiktok_shop_async.errors."


class Telemetry:
    """An observer, and what it has made known by now."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = tracers.get_tracer("test")
        meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self.observer = OpenTelemetryObserver(tracers, meters)

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, in the order of their beginnings."""
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    @property
    def call(self) -> ReadableSpan:
        (call,) = self.calls
        return call

    @property
    def calls(self) -> list[ReadableSpan]:
        return [span for span in self.spans if span.kind is SpanKind.INTERNAL]

    @property
    def attempts(self) -> list[ReadableSpan]:
        return [span for span in self.spans if span.kind is SpanKind.CLIENT]

    def points(self, name: str) -> list[Any]:
        data = self._reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def sums(self, name: str) -> dict[frozenset[tuple[str, Any]], float]:
        """Return the value of each combination of attributes; of a histogram, its count."""
        return {
            frozenset(point.attributes.items()): (
                point.count if hasattr(point, "count") else point.value
            )
            for point in self.points(name)
        }

    def all_text(self) -> str:
        return "".join(span.to_json() for span in self.spans)

    def assert_nothing_left(self) -> None:
        assert self.observer._calls == {}
        assert set(self.sums(IN_FLIGHT).values()) <= {0}
        assert get_current() == {}


@pytest.fixture
async def telemetry(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Telemetry]:
    telemetry = Telemetry()
    yield telemetry
    telemetry.assert_nothing_left()
    assert "an observer failed" not in "".join(each.msg for each in caplog.get_records("call"))


async def no_sleep(_: float) -> None:
    await asyncio.sleep(0)


def client_of(shop: FakeShop, telemetry: Telemetry, **options: Any) -> AsyncTikTokShop:
    options = {"max_retries": 2, "sleep": no_sleep, "observers": [telemetry.observer]} | options
    return new_client(httpx.MockTransport(shop.handle_async_request), **options)


def read(client: AsyncTikTokShop) -> Coroutine[Any, Any, Any]:
    async def reading() -> Any:
        return await client.order.get_order_detail(ids=["1"])

    return reading()


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parent_of(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def id_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


async def test_a_call_is_a_span_and_its_attempt_one_by_the_http_conventions(
    shop: FakeShop, telemetry: Telemetry
) -> None:
    shop.answer()
    async with client_of(shop, telemetry) as client:
        await read(client)
    call, attempt = telemetry.call, telemetry.attempts[0]
    assert (call.name, call.status.status_code) == (READ, StatusCode.UNSET)
    assert attributes_of(call) == {
        "tiktok_shop.operation": READ,
        "tiktok_shop.version": "202507",
        "tiktok_shop.attempts": 1,
        "tiktok_shop.request_id": "req-2026",
    }
    assert attempt.name == f"GET {READ_PATH}"
    assert parent_of(attempt) == id_of(call)
    attributes = attributes_of(attempt)
    assert 0 <= attributes.pop("tiktok_shop.held_back") < 1
    assert attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "open-api.tiktokglobalshop.com",
        "server.port": 443,
        "tiktok_shop.operation": READ,
        "tiktok_shop.request_id": "req-2026",
        "tiktok_shop.version": "202507",
        "url.full": BASE + READ_PATH,
        "url.template": READ_PATH,
    }


async def test_retries_are_siblings_and_waits_and_throttles_events_of_the_call(
    shop: FakeShop, telemetry: Telemetry
) -> None:
    throttled = b'{"code": 36009002, "message": "Too many requests", "request_id": "req-1"}'
    shop.answer_raw(throttled, 429, retry_after="3").fail(httpx.ReadError("reset")).answer()
    async with client_of(shop, telemetry) as client:
        await read(client)
    call, attempts = telemetry.call, telemetry.attempts
    assert {parent_of(attempt) for attempt in attempts} == {id_of(call)}
    resends = [attributes_of(each).get("http.request.resend_count") for each in attempts]
    assert resends == [None, 1, 2]
    types = [attributes_of(each).get("error.type") for each in attempts]
    assert types == ["429", f"{ERRORS}TransportError", None]
    assert [attributes_of(each).get("tiktok_shop.code") for each in attempts] == [
        36009002,
        None,
        None,
    ]
    assert [event.name.removeprefix("tiktok_shop.") for event in call.events] == [
        "throttled",
        "retry_scheduled",
        "retry_scheduled",
    ]
    assert dict(call.events[0].attributes or {}) == {
        "tiktok_shop.attempt": 1,
        "tiktok_shop.retry_after": 3.0,
        "tiktok_shop.request_id": "req-1",
    }
    retry = dict(call.events[1].attributes or {})
    assert 3 <= retry.pop("tiktok_shop.wait") <= 4
    assert retry == {"tiktok_shop.attempt": 1, "error.type": f"{ERRORS}RateLimitError"}
    assert call.status.status_code is StatusCode.UNSET, "it succeeded in the end"


async def test_a_failed_call_has_the_errors_type_and_text(
    shop: FakeShop, telemetry: Telemetry
) -> None:
    shop.fail(httpx.ReadError("reset"))
    async with client_of(shop, telemetry) as client:
        with pytest.raises(OutcomeUnknownError) as caught:
            await client.return_refund.cancel_order(order_id="1", cancel_reason="x")
    call, (attempt,) = telemetry.call, telemetry.attempts
    assert call.status.status_code is StatusCode.ERROR
    assert call.status.description == str(caught.value)
    assert attributes_of(call)["error.type"] == f"{ERRORS}OutcomeUnknownError"
    assert attributes_of(attempt)["error.type"] == f"{ERRORS}TransportError"
    assert "http.response.status_code" not in attributes_of(attempt)


async def test_a_refusal_with_status_200_is_an_error_of_its_class(
    shop: FakeShop, telemetry: Telemetry
) -> None:
    shop.answer(code=36009004, message="invalid")
    async with client_of(shop, telemetry) as client:
        with pytest.raises(InvalidRequestError):
            await read(client)
    attributes = attributes_of(telemetry.attempts[0])
    assert attributes["http.response.status_code"] == 200
    assert attributes["error.type"] == f"{ERRORS}InvalidRequestError"
    assert attributes["tiktok_shop.code"] == attributes_of(telemetry.call)["tiktok_shop.code"]
    assert telemetry.attempts[0].status.status_code is StatusCode.ERROR


@pytest.mark.parametrize("faulty", ["service", "network"])
async def test_no_secret_is_in_a_span_whatever_an_error_says(
    shop: FakeShop, telemetry: Telemetry, faulty: str
) -> None:
    told = f"bad call of {ACCESS_TOKEN} for {SHOP_CIPHER}, {APP_SECRET}"
    if faulty == "service":
        shop.answer(code=36009004, message=told)
    else:
        shop.fail(httpx.ReadError(told))
    async with client_of(shop, telemetry) as client:
        with pytest.raises(TikTokShopError):
            await read(client)
    text = telemetry.all_text()
    assert "bad call of ***" in text
    assert [secret for secret in SECRETS if secret in text] == []
    assert "sign=" not in text


async def test_credentials_of_a_base_url_are_not_told(shop: FakeShop, telemetry: Telemetry) -> None:
    shop.answer()
    base_url = "http://user:password@gate.example:8080/tiktok"
    async with client_of(shop, telemetry, base_url=base_url) as client:
        await client.fulfillment.get_package_detail(package_id="7 ü")
    (attempt,) = telemetry.attempts
    attributes = attributes_of(attempt)
    assert attempt.name == "GET /fulfillment/202309/packages/{package_id}"
    path = "/fulfillment/202309/packages/7%20%C3%BC"
    assert attributes["url.full"] == f"http://gate.example:8080/tiktok{path}"
    assert attributes["server.address"] == "gate.example"
    assert attributes["server.port"] == 8080


async def test_raw_calls_share_one_name_since_their_paths_have_ids(
    shop: FakeShop, telemetry: Telemetry
) -> None:
    shop.answer()
    async with client_of(shop, telemetry) as client:
        for number in (1, 2):
            await client.request("GET", f"/order/202309/orders/{number}/notes")
    assert {call.name for call in telemetry.calls} == {"raw"}
    assert {attempt.name for attempt in telemetry.attempts} == {"GET"}
    full = [attributes_of(attempt)["url.full"] for attempt in telemetry.attempts]
    assert full == [f"{BASE}/order/202309/orders/{number}/notes" for number in (1, 2)]
    ((attributes, count),) = telemetry.sums(DURATION).items()
    assert (count, "url.template" in dict(attributes)) == (2, False)
    assert telemetry.sums(IN_FLIGHT) == {frozenset({("tiktok_shop.operation", "raw")}): 0}


async def test_a_token_that_was_replaced_is_an_event(telemetry: Telemetry) -> None:
    """The refresh has a client of its own, and is no part of the trace."""
    world = World()
    expired = httpx.Response(401, json={"code": 105002, "message": "expired", "data": None})
    answers = [expired, httpx.Response(200, json={"code": 0, "data": {}})]
    transport = httpx.MockTransport(lambda _: answers.pop(0))
    process, token = world.process(), await world.authorized()
    await process.authorizations.add(token)
    client = process.client(token.open_id, transport=transport, observers=[telemetry.observer])
    async with process.authorizations, client:
        await read(client)
    assert [event.name for event in telemetry.call.events] == ["tiktok_shop.token_replaced"]
    first, second = telemetry.attempts
    assert attributes_of(first)["error.type"] == "401"
    assert attributes_of(second)["http.request.resend_count"] == 1
    assert telemetry.call.status.status_code is StatusCode.UNSET
    assert telemetry.sums("tiktok_shop.client.retries") == {}, "nothing waited"


async def test_what_runs_inside_a_call_nests_in_its_attempt(telemetry: Telemetry) -> None:
    def handle(_: httpx.Request) -> httpx.Response:
        with telemetry.tracer.start_as_current_span("the transport's own"):
            return httpx.Response(200, json={"code": 0, "data": {}})

    async with new_client(httpx.MockTransport(handle), observers=[telemetry.observer]) as client:
        with telemetry.tracer.start_as_current_span("the application's"):
            await read(client)
    outer, call, attempt, inner = telemetry.spans
    assert [parent_of(span) for span in (call, attempt, inner)] == [
        id_of(outer),
        id_of(call),
        id_of(attempt),
    ]


async def test_between_its_attempts_the_call_is_current(
    shop: FakeShop, telemetry: Telemetry
) -> None:
    seen = []

    async def sleep(_: float) -> None:
        seen.append(trace.get_current_span().get_span_context().span_id)

    shop.fail(httpx.ReadError("reset")).answer()
    async with client_of(shop, telemetry, sleep=sleep) as client:
        await read(client)
    assert seen == [id_of(telemetry.call)]


async def test_calls_at_once_do_not_mix(telemetry: Telemetry) -> None:
    """Each attempt is in its own call, and each call in the task that made it."""

    async def handle(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        failing = trace.get_current_span().get_span_context().span_id % 2
        body = THROTTLED if failing else {"code": 0, "data": {}}
        return httpx.Response(200, json=body)

    client = new_client(
        httpx.MockTransport(handle),
        observers=[telemetry.observer],
        sleep=no_sleep,
        max_retries=50,
        max_in_flight=7,
    )

    async def one(number: int) -> None:
        with telemetry.tracer.start_as_current_span(f"job {number}"):
            await client.order.get_order_detail(ids=[str(number)])
            await client.order.get_order_detail(ids=[str(number)])

    async with client:
        await asyncio.gather(*(one(number) for number in range(40)))
    by_id = {id_of(span): span for span in telemetry.spans}
    calls = [span for span in telemetry.calls if span.name == READ]
    assert len(calls) == 80
    for call in calls:
        assert by_id[parent_of(call) or 0].name.startswith("job ")
        attempts = [each for each in telemetry.attempts if parent_of(each) == id_of(call)]
        assert len(attempts) == attributes_of(call)["tiktok_shop.attempts"]
    jobs = [span for span in telemetry.calls if span.name != READ]
    assert [sum(parent_of(call) == id_of(job) for call in calls) for job in jobs] == [2] * 40


@pytest.mark.parametrize("where", ["in flight", "waiting for a place", "before a retry"])
async def test_a_cancelled_call_ends_its_spans(telemetry: Telemetry, where: str) -> None:
    reached, never = asyncio.Event(), asyncio.Event()

    async def handle(_: httpx.Request) -> httpx.Response:
        if where == "before a retry":
            return httpx.Response(503)
        reached.set()
        await never.wait()
        raise AssertionError

    async def sleep(_: float) -> None:
        reached.set()
        await never.wait()

    context = []

    async def call() -> None:
        before = get_current()
        try:
            await read(client)
        finally:
            context.append(get_current() == before)

    async with new_client(
        httpx.MockTransport(handle),
        observers=[telemetry.observer],
        max_retries=1,
        max_in_flight=1,
        sleep=sleep,
    ) as client:
        tasks = [asyncio.create_task(call()) for _ in range(2 if "place" in where else 1)]
        await reached.wait()
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert context == [True] * len(tasks)
    assert {attributes_of(each)["error.type"] for each in telemetry.calls} == {
        "asyncio.exceptions.CancelledError"
    }
    assert all(each.status.status_code is StatusCode.ERROR for each in telemetry.calls)
    assert all(each.status.description is None for each in telemetry.calls)
    assert len(telemetry.attempts) == 1


async def test_a_call_that_is_closed_from_elsewhere_ends_its_spans_and_leaves_others_current(
    telemetry: Telemetry, caplog: pytest.LogCaptureFixture
) -> None:
    """As the garbage collector does it with a call that nobody awaits any more."""

    async def handle(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with new_client(httpx.MockTransport(handle), observers=[telemetry.observer]) as client:
        calling = read(client)

        async def begin() -> None:
            calling.send(None)

        await asyncio.create_task(begin())
        with telemetry.tracer.start_as_current_span("other") as other:
            calling.close()
            assert trace.get_current_span() is other
    assert attributes_of(telemetry.calls[0])["error.type"] == "GeneratorExit"
    assert len(telemetry.attempts) == 1
    assert caplog.messages == []


async def test_pages_are_calls_side_by_side_and_none_is_current_between_them(
    shop: FakeShop, telemetry: Telemetry
) -> None:
    page = {"orders": [{"id": "1"}, {"id": "2"}]}
    for token in ("b", "c", ""):
        shop.answer(page | {"next_page_token": token})
    async with client_of(shop, telemetry) as client:
        with telemetry.tracer.start_as_current_span("sync") as sync:
            async for _ in client.order.get_order_list(page_size=2):
                assert trace.get_current_span() is sync
            async for _ in client.order.get_order_list(page_size=2):
                break
            assert trace.get_current_span() is sync
    gc.collect()
    calls = [span for span in telemetry.calls if span.name != "sync"]
    assert {parent_of(call) for call in calls} == {sync.get_span_context().span_id}
    assert len(calls) == 4


async def test_two_observers_leave_the_context_as_it_was(
    shop: FakeShop, telemetry: Telemetry
) -> None:
    other = Telemetry()
    shop.fail(httpx.ReadError("reset")).answer()
    between = []

    async def sleep(_: float) -> None:
        between.append(trace.get_current_span().get_span_context().span_id)

    observers = [telemetry.observer, other.observer]
    async with client_of(shop, telemetry, observers=observers, sleep=sleep) as client:
        await read(client)
        assert get_current() == {}
    assert between == [id_of(other.call)]
    assert len(telemetry.attempts) == len(other.attempts) == 2
    other.assert_nothing_left()


async def test_durations_follow_the_conventions(shop: FakeShop, telemetry: Telemetry) -> None:
    clock = MovableClock()

    def slow(_: httpx.Request) -> httpx.Response:
        clock.advance(0.3)
        return httpx.Response(200, json={"code": 0, "data": {}})

    shop.answers.append(slow)
    async with client_of(shop, telemetry, clock=clock) as client:
        await read(client)
        await read(client)
    (point,) = telemetry.points(DURATION)
    assert dict(point.attributes) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "open-api.tiktokglobalshop.com",
        "server.port": 443,
        "url.template": READ_PATH,
    }
    assert point.sum == pytest.approx(0.6, abs=0.01)
    bounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
    assert list(point.explicit_bounds) == bounds
    assert point.bucket_counts[bounds.index(0.5)] == 2


async def test_retries_throttles_and_waits_are_counted(
    shop: FakeShop, telemetry: Telemetry
) -> None:
    shop.answer_raw(b'{"code": 36009002, "message": "x"}', 429, retry_after="3")
    shop.fail(httpx.ReadError("reset")).answer()
    async with client_of(shop, telemetry) as client:
        await read(client)
    operation = ("tiktok_shop.operation", READ)
    assert telemetry.sums("tiktok_shop.client.throttles") == {frozenset({operation}): 1}
    assert telemetry.sums("tiktok_shop.client.retries") == {
        frozenset({operation, ("error.type", f"{ERRORS}RateLimitError")}): 1,
        frozenset({operation, ("error.type", f"{ERRORS}TransportError")}): 1,
    }
    assert telemetry.sums(WAITS) == {
        frozenset({operation, ("tiktok_shop.wait.reason", "turn")}): 3,
        frozenset({operation, ("tiktok_shop.wait.reason", "retry")}): 2,
    }


async def test_in_flight_counts_attempts_not_those_that_wait(telemetry: Telemetry) -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def handle(_: httpx.Request) -> httpx.Response:
        reached.set()
        await go.wait()
        return httpx.Response(200, json={"code": 0, "data": {}})

    async with new_client(
        httpx.MockTransport(handle), observers=[telemetry.observer], max_in_flight=2
    ) as client:
        tasks = [asyncio.create_task(read(client)) for _ in range(5)]
        await reached.wait()
        assert list(telemetry.sums(IN_FLIGHT).values()) == [2]
        go.set()
        await asyncio.gather(*tasks)


async def test_without_a_provider_calls_work_as_before(shop: FakeShop) -> None:
    shop.answer()
    observer = OpenTelemetryObserver()
    async with new_client(
        httpx.MockTransport(shop.handle_async_request), observers=[observer]
    ) as client:
        await read(client)
    assert get_current() == {}
    assert observer._calls == {}


async def test_faults_of_a_real_service_show_as_they_were(telemetry: Telemetry) -> None:
    faults = Faults(
        [
            FaultRule(FaultKind.THROTTLED, nth=1),
            FaultRule(FaultKind.RESET_AFTER, nth=3),
            FaultRule(FaultKind.UNAVAILABLE, nth=4),
        ]
    )
    async with (
        run_sandbox(orders=5, faults=faults) as sandbox,
        sandbox.client(observers=[telemetry.observer], sleep=no_sleep) as client,
    ):
        await client.authorization.get_authorized_shops()
        await client.authorization.get_authorized_shops()
    calls, attempts = telemetry.calls, telemetry.attempts
    assert [attributes_of(call)["tiktok_shop.attempts"] for call in calls] == [2, 3]
    assert [attributes_of(attempt).get("error.type") for attempt in attempts] == [
        "429",
        None,
        f"{ERRORS}TransportError",
        "503",
        None,
    ]
    ids = [attributes_of(attempt).get("tiktok_shop.request_id") for attempt in attempts]
    assert len({each for each in ids if each}) >= 3


def test_without_opentelemetry_the_import_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "try:\n import tiktok_shop_async.integrations.opentelemetry\n"
        "except ImportError as error:\n print(error)"
    )
    run = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert "tiktok-shop-async[otel]" in run.stdout
