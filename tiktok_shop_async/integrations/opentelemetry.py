"""OpenTelemetry: spans and metrics of a client's calls, by the semantic conventions for HTTP."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias
from urllib.parse import quote, urlsplit

import attrs

try:
    from opentelemetry.context import attach, create_key, detach, get_value, set_value
    from opentelemetry.metrics import MeterProvider, get_meter
    from opentelemetry.trace import (
        Span,
        SpanKind,
        StatusCode,
        TracerProvider,
        get_tracer,
        set_span_in_context,
    )
except ImportError as error:
    raise ImportError(
        "OpenTelemetryObserver needs a further package: pip install 'tiktok-shop-async[otel]'",
        name=error.name,
    ) from error

from .._version import __version__
from ..errors import TikTokAPIError, TikTokShopError
from ..events import (
    AttemptFinished,
    AttemptStarted,
    CallEvent,
    CallFinished,
    CallInfo,
    CallStarted,
    RetryScheduled,
    Throttled,
    TokenReplaced,
)

Attributes: TypeAlias = dict[str, str | int | float]

_SCOPE = "tiktok_shop_async"
_SCHEMA_URL = "https://opentelemetry.io/schemas/1.29.0"
_DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
_WAIT_BUCKETS = (*_DURATION_BUCKETS, 30, 60, 120)
_RAW = "raw"
"""The name of all raw calls where cardinality matters: their paths may contain ids."""
_CURRENT_SPAN = create_key("tiktok_shop_async.current_span")


class OpenTelemetryObserver:
    """An observer of spans and metrics for ``AsyncTikTokShop(…, observers=[…])``.

    Each call is a span, and each of its attempts a child span. Several clients may share one
    observer.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        """Create the observer; by default with the global providers."""
        self._tracer = get_tracer(_SCOPE, __version__, tracer_provider, _SCHEMA_URL)
        meter = get_meter(_SCOPE, __version__, meter_provider, _SCHEMA_URL)
        self._duration = meter.create_histogram(
            "http.client.request.duration",
            unit="s",
            description="Duration of HTTP client requests.",
            explicit_bucket_boundaries_advisory=_DURATION_BUCKETS,
        )
        self._waits = meter.create_histogram(
            "tiktok_shop.client.wait",
            unit="s",
            description="Time that calls waited for a slot, for the limiter or for a retry.",
            explicit_bucket_boundaries_advisory=_WAIT_BUCKETS,
        )
        self._retries = meter.create_counter(
            "tiktok_shop.client.retries",
            unit="{retry}",
            description="Attempts that are retried after a wait.",
        )
        self._throttles = meter.create_counter(
            "tiktok_shop.client.throttles",
            unit="{attempt}",
            description="Attempts that the service throttled.",
        )
        self._in_flight = meter.create_up_down_counter(
            "tiktok_shop.client.in_flight",
            unit="{attempt}",
            description="Attempts in flight.",
        )
        self._calls: dict[CallInfo, _OpenCall] = {}

    def __call__(self, event: CallEvent) -> None:
        """Record an event."""
        match event:
            case CallStarted():
                self._start_call(event.call)
            case AttemptStarted():
                self._start_attempt(self._calls[event.call], event)
            case AttemptFinished():
                self._finish_attempt(self._calls[event.call], event)
            case Throttled():
                self._record_throttle(self._calls[event.call], event)
            case RetryScheduled():
                self._record_retry(self._calls[event.call], event)
            case TokenReplaced():
                self._calls[event.call].span.add_event(
                    "tiktok_shop.token_replaced", {"tiktok_shop.attempt": event.attempt}
                )
            case CallFinished():
                self._finish_call(self._calls.pop(event.call), event)

    def _start_call(self, info: CallInfo) -> None:
        target = _target(info.operation, info.version, info.method, info.base_url, info.path)
        span = self._tracer.start_span(target.operation, attributes=target.call_attributes)
        self._calls[info] = _OpenCall(target, _CurrentSpan(span, (info, 0)))

    def _start_attempt(self, call: _OpenCall, event: AttemptStarted) -> None:
        target = call.target
        attributes = target.attempt_attributes | {
            "url.full": target.url(event.call),
            "tiktok_shop.held_back": event.held_back,
        }
        if event.attempt > 1:
            attributes["http.request.resend_count"] = event.attempt - 1
        span = self._tracer.start_span(target.request, kind=SpanKind.CLIENT, attributes=attributes)
        call.attempt = _CurrentSpan(span, (event.call, event.attempt))
        self._in_flight.add(1, target.operation_attributes)
        self._waits.record(event.held_back, target.turn_attributes)

    def _finish_attempt(self, call: _OpenCall, event: AttemptFinished) -> None:
        target, attempt, status = call.target, call.attempt, event.http_status
        assert attempt is not None, "an attempt starts before it finishes"
        outcome: Attributes = {}
        if status is not None:
            outcome["http.response.status_code"] = status
        if event.error is not None:
            is_http_error = status is not None and status >= 400
            outcome["error.type"] = str(status) if is_http_error else _type_name(event.error)
        # While the span of the attempt is current, so that it is the exemplar of the measurement.
        self._duration.record(event.seconds, target.request_attributes | outcome)
        self._in_flight.add(-1, target.operation_attributes)
        attempt.end(outcome, event.request_id, event.error)
        call.attempt, call.request_id = None, event.request_id

    def _record_throttle(self, call: _OpenCall, event: Throttled) -> None:
        attributes: Attributes = {"tiktok_shop.attempt": event.attempt}
        if event.retry_after is not None:
            attributes["tiktok_shop.retry_after"] = event.retry_after
        if event.request_id:
            attributes["tiktok_shop.request_id"] = event.request_id
        call.span.add_event("tiktok_shop.throttled", attributes)
        self._throttles.add(1, call.target.operation_attributes)

    def _record_retry(self, call: _OpenCall, event: RetryScheduled) -> None:
        reason: Attributes = {"error.type": _type_name(event.error)}
        call.span.add_event(
            "tiktok_shop.retry_scheduled",
            {"tiktok_shop.attempt": event.attempt, "tiktok_shop.wait": event.seconds, **reason},
        )
        self._retries.add(1, call.target.operation_attributes | reason)
        self._waits.record(event.seconds, call.target.retry_attributes)

    def _finish_call(self, call: _OpenCall, event: CallFinished) -> None:
        outcome: Attributes = {"tiktok_shop.attempts": event.attempts}
        if event.error is not None:
            outcome["error.type"] = _type_name(event.error)
        call.current.end(outcome, call.request_id, event.error)


@attrs.define(eq=False)
class _OpenCall:
    """A call between its first and its last event."""

    target: _Target
    current: _CurrentSpan
    attempt: _CurrentSpan | None = None
    request_id: str | None = None

    @property
    def span(self) -> Span:
        return self.current.span


class _CurrentSpan:
    """A span that is the current one, the parent of others, until it ends."""

    __slots__ = ("_key", "_token", "span")

    def __init__(self, span: Span, key: tuple[CallInfo, int]) -> None:
        self.span = span
        self._key = key
        self._token = attach(set_value(_CURRENT_SPAN, key, set_span_in_context(span)))

    def end(self, outcome: Attributes, request_id: str | None, error: BaseException | None) -> None:
        """End the span, and make the previous one current if this span is still current.

        It may not be current: a call that is never awaited to its end is closed in any context, and
        of two observers the first one has restored the previous span for both.
        """
        if request_id:
            outcome["tiktok_shop.request_id"] = request_id
        if isinstance(error, TikTokAPIError) and error.code is not None:
            outcome["tiktok_shop.code"] = error.code
        self.span.set_attributes(outcome)
        if error is not None:
            # Texts of our errors are redacted. Other texts, and those of the causes, which
            # `Span.record_exception` would record, may contain secrets.
            text = str(error) if isinstance(error, TikTokShopError) else None
            self.span.set_status(StatusCode.ERROR, text)
        self.span.end()
        if get_value(_CURRENT_SPAN) == self._key:
            detach(self._token)


@attrs.frozen(eq=False)
class _Target:
    """The names and attributes that calls of one operation share."""

    operation: str
    request: str
    """The method and the path template: the name of the span of an attempt."""
    origin: str
    call_attributes: Attributes
    attempt_attributes: Attributes
    request_attributes: Attributes
    operation_attributes: Attributes
    turn_attributes: Attributes
    retry_attributes: Attributes

    def url(self, info: CallInfo) -> str:
        """Return the URL without its query, which contains the signature and the cipher."""
        if not info.path_arguments:
            return self.origin + quote(info.path, errors="replace")
        path = info.path
        for name, value in info.path_arguments.items():
            path = path.replace(f"{{{name}}}", quote(str(value), safe="", errors="replace"))
        return self.origin + path


@lru_cache(maxsize=1000)
def _target(operation: str, version: str, method: str, base_url: str, path: str) -> _Target:
    is_raw = operation == f"{method} {path}"
    label = _RAW if is_raw else operation
    base = urlsplit(base_url)
    host, port = base.hostname or "", base.port or (443 if base.scheme == "https" else 80)
    netloc = base.netloc.rpartition("@")[2]  # without user and password
    template: Attributes = {} if is_raw else {"url.template": path}
    request_attributes: Attributes = {
        "http.request.method": method,
        "server.address": host,
        "server.port": port,
        **template,
    }
    call_attributes: Attributes = {
        "tiktok_shop.operation": operation,
        "tiktok_shop.version": version,
    }
    operation_attributes: Attributes = {"tiktok_shop.operation": label}
    return _Target(
        operation=label,
        request=method if is_raw else f"{method} {path}",
        origin=f"{base.scheme}://{netloc}{base.path}",
        call_attributes=call_attributes,
        attempt_attributes=request_attributes | call_attributes,
        request_attributes=request_attributes,
        operation_attributes=operation_attributes,
        turn_attributes=operation_attributes | {"tiktok_shop.wait.reason": "turn"},
        retry_attributes=operation_attributes | {"tiktok_shop.wait.reason": "retry"},
    )


def _type_name(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__
    return name if kind.__module__ == "builtins" else f"{kind.__module__}.{name}"
