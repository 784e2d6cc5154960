"""Envelopes of responses."""

from __future__ import annotations

import itertools
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

from ..._internal.clock import Clock
from ..error_responses import INTERNAL_ERROR, Refusal
from ..inputs.json_input import encodable


class EnvelopeFactory:
    """A factory of responses with envelopes; each response has its own request id."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)

    def success(self, data: dict[str, Any] | None, message: str) -> Response:
        """Return a successful response."""
        return self._response(0, message, data, HTTPStatus.OK)

    def error(self, refusal: Refusal) -> Response:
        """Return an error response."""
        response = self._response(refusal.code, refusal.message, None, refusal.http_status)
        response.headers.update(refusal.headers)
        return response

    def internal_error(self) -> Response:
        """Return the response to a request that the sandbox failed to handle."""
        status = HTTPStatus.INTERNAL_SERVER_ERROR
        return self._response(INTERNAL_ERROR, "Internal error.", None, status)

    def _response(
        self, code: int, message: str, data: dict[str, Any] | None, http_status: int
    ) -> Response:
        now = self._clock.time()
        request_id = f"{int(now)}{next(self._numbers):010X}"
        envelope = {
            "code": code,
            "message": encodable(message),  # can contain text of the request
            "request_id": request_id,
            "data": data,
        }
        return Response(
            msgspec.json.encode(envelope),
            status_code=http_status,
            headers={
                "date": formatdate(now, usegmt=True),  # by the sandbox's clock
                "x-tts-logid": request_id,
            },
            media_type="application/json",
        )
