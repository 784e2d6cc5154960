"""Transport that records real traffic, with secrets and personal data masked."""

from __future__ import annotations

from collections.abc import Collection
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from ..._internal.argument_checks import parse_texts
from ..._internal.threads import in_thread
from ...transport.connection_stack import ConnectionStackTransport
from .bodies import describe_body
from .exchanges import Exchange, credentials_in, describe
from .json_text import dump_json
from .masking import PERSONAL_FIELDS, SECRET_FIELDS, Masking
from .recording_file import Recording, write_recording

_KEPT_HEADERS = ("content-type", "retry-after", "x-tts-logid", "x-tt-logid", "x-request-id")
_ENCODING_HEADERS = ("content-encoding", "content-length", "transfer-encoding")
"""Headers that do not apply to a body that was read and decoded."""


def record(
    path: str | PathLike[str],
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    secret_fields: Collection[str] = SECRET_FIELDS,
    personal_fields: Collection[str] = PERSONAL_FIELDS,
) -> RecordingTransport:
    """Return a transport that records all requests and responses to a file.

    As a context manager it writes when its block ends without an error, else when it is closed.

    Args:
        path: The file, which is replaced.
        transport: The transport that sends; a client's default connections unless given.
        secret_fields: Names of fields whose values are masked everywhere.
        personal_fields: Names of fields with personal data, or ``parent.name``.
    """
    masked_names = (
        frozenset(parse_texts(secret_fields, "secret_fields")),
        frozenset(parse_texts(personal_fields, "personal_fields")),
    )
    return RecordingTransport(Path(path), transport or ConnectionStackTransport(), *masked_names)


class RecordingTransport(httpx.AsyncBaseTransport):
    """Sends with another transport and records the traffic; see `record`."""

    def __init__(
        self,
        path: Path,
        transport: httpx.AsyncBaseTransport,
        secret_fields: frozenset[str],
        personal_fields: frozenset[str],
    ) -> None:
        self._path = path
        self._transport = transport
        self._names = secret_fields, personal_fields
        self._exchanges: list[Exchange] = []
        self._entered = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request`` and record it with its response; without one it is not recorded."""
        await request.aread()
        exchange = Exchange(describe(request), str(request.url), credentials_in(request))
        self._exchanges.append(exchange)  # in the order of requests, not of responses
        response = await self._transport.handle_async_request(request)
        try:
            body = await response.aread()
        finally:
            await response.aclose()
        headers = httpx.Headers(
            [each for each in response.headers.multi_items() if each[0] not in _ENCODING_HEADERS]
        )
        exchange.response = {
            "status": response.status_code,
            "headers": {name: headers[name] for name in _KEPT_HEADERS if name in headers},
            **describe_body(body, headers.get("content-type", "")),
        }
        return httpx.Response(response.status_code, headers=headers, content=body)

    async def __aenter__(self) -> Self:
        self._entered = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._entered = False
        if exc_type is None:
            await self.aclose()
        else:  # an incomplete recording must not replace a complete one
            await self._transport.aclose()

    async def aclose(self) -> None:
        """Close the transport and write the file; do nothing inside the block.

        Clients close their transport, and the block may use several clients one after another.
        """
        if not self._entered:
            await self._transport.aclose()
            await in_thread(self._write)

    def _write(self) -> None:
        done = [exchange for exchange in self._exchanges if exchange.response is not None]
        masking = Masking(*self._names)
        for exchange in done:
            exchange.collect(masking)
        # A stable sort: requests that a replay cannot distinguish stay in the order of requests.
        unnumbered = masking.without_numbers()
        done.sort(key=lambda exchange: dump_json(exchange.mask_request(unnumbered), indent=2))
        more_fields = self._names[0].union(self._names[1]) - PERSONAL_FIELDS - SECRET_FIELDS
        calls = [exchange.mask(masking) for exchange in done]
        write_recording(self._path, Recording(calls, more_fields))
