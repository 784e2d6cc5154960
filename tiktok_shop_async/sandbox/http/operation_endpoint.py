"""The ASGI application of all operations: from a request's bytes to an envelope."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..error_responses import Refusal
from ..faults.fault_delivery import Sleep, deliver, limit_exceeded, run_with_fault
from ..faults.rules import FaultRule
from ..handlers.call import AdmittedCall
from ..handlers.operation_handlers import handle
from ..state.request_log import LoggedRequest
from ..state.sandbox_state import SandboxState
from .gateway import Gateway, Received
from .operation_routes import find_route
from .request_body import headers_of, path_of, query_pairs_of, read_body
from .response_envelope import EnvelopeFactory


class OperationEndpoint:
    """Endpoint of all operations: admits each request, handles it, and sends an envelope."""

    def __init__(
        self,
        state: SandboxState,
        envelopes: EnvelopeFactory,
        latency: float | Callable[[], float],
        sleep: Sleep,
    ) -> None:
        self._state = state
        self._market = state.market
        self._gateway = Gateway(state.market, state.clock)
        self._envelopes = envelopes
        self._latency = latency
        self._sleep = sleep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        started = time.perf_counter()  # the sandbox's clock can be moved
        entry = self._state.requests.open(scope["method"], path_of(scope), self._state.clock.time())
        try:
            response, rule = await self._respond(scope, receive, entry)
            if response is None:
                return
            delay = self._latency() if callable(self._latency) else self._latency
            if delay > 0:
                await self._sleep(delay)
            entry.log_delivery(response.status_code, bytes(response.body), rule)
            await deliver(response, rule, scope, receive, send, self._sleep)
        finally:
            entry.milliseconds = (time.perf_counter() - started) * 1000

    async def _respond(
        self, scope: Scope, receive: Receive, entry: LoggedRequest
    ) -> tuple[Response | None, FaultRule | None]:
        """Return the response and its fault; no response if the client disconnected."""
        received: Received | None = None
        rule: FaultRule | None = None
        try:
            path = path_of(scope)
            headers = entry.header_pairs = headers_of(scope)
            route = find_route(scope["method"], path)
            entry.operation = route.operation.id
            body = await read_body(receive, headers, route.operation.body)
            if body is None:
                return None, None
            pairs = query_pairs_of(scope)
            received = Received(path, pairs, headers, body, entry.remarks)
            call = self._gateway.admit(received, route)
            entry.log_request(pairs, received.signed_body, call.query["sign"])
            rule = self._choose_fault(call)
            now = self._state.clock.time()
            result = run_with_fault(partial(self._handle, call, entry), rule, now)
            if isinstance(result, Response):
                return result, rule
            entry.log_response(0, "Success")
            return self._envelopes.success(result, "Success"), rule
        except Refusal as refusal:
            if received is not None and not entry.query_pairs:
                self._log_signature(received, entry)
            entry.log_response(refusal.code, refusal.message)
            return self._envelopes.error(refusal), rule

    def _choose_fault(self, call: AdmittedCall) -> FaultRule | None:
        """Return the rule that applies to a call; refuse a call above a limit."""
        limits, shop = self._state.limits, call.shop.cipher if call.shop else ""
        excess = limits.take(call.token.app_key, shop, call.operation)
        if excess is not None:
            raise limit_exceeded(excess, limits.settings.retry_after, self._state.clock.time())
        return self._state.faults.choose(call.operation.id)

    def _handle(self, call: AdmittedCall, entry: LoggedRequest) -> dict[str, Any]:
        data = handle(call, self._market)
        entry.processed = True
        return data

    def _log_signature(self, received: Received, entry: LoggedRequest) -> None:
        """Log the signature that a refused request should have."""
        app = self._market.apps.get(dict(received.query_pairs).get("app_key", ""))
        body = received.signed_body
        expected = app.verifier.expected(received.path, received.query_pairs, body) if app else None
        entry.log_request(received.query_pairs, body, expected)
