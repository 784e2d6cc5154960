"""Real traffic as fixtures: recorded with secrets and personal data masked, and played back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from os import PathLike
from pathlib import Path
from secrets import token_hex
from types import TracebackType
from typing import Any, Self

import httpx

from ..._internal.argument_checks import parse_texts
from ..._internal.lenient_json import load_document
from ..._internal.threads import in_thread
from ...transport.connection_stack import ConnectionStackTransport
from .bodies import body_of, described_body
from .exchanges import Exchange, credentials_in, describe
from .json_text import dump_json
from .masking import PERSONAL_FIELDS, SECRET_FIELDS, Masking, stays
from .matching import Matcher

_KEPT_HEADERS = ("content-type", "retry-after", "x-tts-logid", "x-tt-logid", "x-request-id")


class NotRecordedError(AssertionError):
    """A replay was asked for what its file does not have, or was not asked for all it has."""


def record(
    path: str | PathLike[str],
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    secret_fields: Collection[str] = SECRET_FIELDS,
    personal_fields: Collection[str] = PERSONAL_FIELDS,
) -> RecordingTransport:
    """Return a transport that writes what passes through it to ``path``.

    As a context manager it writes when its block ends without an error, else when it is closed.
    ``transport`` really sends; without one, the client's own connections do.
    """
    masked_names = (
        frozenset(parse_texts(secret_fields, "secret_fields")),
        frozenset(parse_texts(personal_fields, "personal_fields")),
    )
    return RecordingTransport(Path(path), transport or ConnectionStackTransport(), *masked_names)


def replay(
    path: str | PathLike[str], *, all_used: bool = False, ignore: Collection[str] = ()
) -> ReplayTransport:
    """Return a transport that answers as ``path`` has it, without a network.

    Args:
        all_used: Whether its block, as a context manager, fails if something was not asked for.
        ignore: Names of arguments that may differ from what was recorded.
    """
    return ReplayTransport(
        Path(path), all_used=all_used, ignore=frozenset(parse_texts(ignore, "ignore"))
    )


class RecordingTransport(httpx.AsyncBaseTransport):
    """Sends with another transport, and remembers; see `record`."""

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
        """Send ``request``; an answer that never came is not recorded."""
        await request.aread()
        exchange = Exchange(describe(request), str(request.url), credentials_in(request))
        self._exchanges.append(exchange)  # in the order of asking, whatever is answered first
        response = await self._transport.handle_async_request(request)
        try:
            body = await response.aread()
        finally:
            await response.aclose()
        headers = httpx.Headers(
            [each for each in response.headers.multi_items() if _travels(*each)]
        )
        exchange.response = {
            "status": response.status_code,
            "headers": {name: headers[name] for name in _KEPT_HEADERS if name in headers},
            **described_body(body, headers.get("content-type", "")),
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
        else:  # half a recording must not replace a whole one
            await self._transport.aclose()

    async def aclose(self) -> None:
        """Write the file; inside its block the transport outlives the clients that use it."""
        if not self._entered:
            await self._transport.aclose()
            await in_thread(self._write)

    def _write(self) -> None:
        done = [exchange for exchange in self._exchanges if exchange.response is not None]
        masking = Masking(*self._names)
        for exchange in done:
            exchange.find(masking)
        # Those that a replay cannot tell apart stay in the order of asking.
        unnumbered = masking.without_numbers()
        done.sort(key=lambda exchange: dump_json(exchange.masked_request(unnumbered), indent=2))
        document: dict[str, Any] = {"calls": [exchange.masked(masking) for exchange in done]}
        if more := self._names[0].union(self._names[1]) - PERSONAL_FIELDS - SECRET_FIELDS:
            document["masked_fields"] = sorted(more)
        _write(self._path, dump_json(document, indent=2) + "\n")


class ReplayTransport(httpx.AsyncBaseTransport):
    """Answers from a file, equal questions in the order of their recording; see `replay`."""

    def __init__(self, path: Path, *, all_used: bool, ignore: frozenset[str]) -> None:
        self._path = path
        self._calls, masked_fields = _read(path)
        self._matcher = Matcher(ignore, masked_fields)
        self._used: set[int] = set()
        self._refused: NotRecordedError | None = None
        self._all_used = all_used

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer ``request``, or raise `NotRecordedError`."""
        await request.aread()
        sent = describe(request)
        fitting = [
            at
            for at, call in enumerate(self._calls)
            if self._matcher.is_recorded(call["request"], sent)
        ]
        # A mask that an earlier response had goes to its own request before it fits any other.
        for at in sorted(fitting, key=lambda at: self._calls[at]["request"] != sent):
            if at not in self._used:
                self._used.add(at)
                return _response(self._calls[at]["response"])
        refused = NotRecordedError(self._why_not(sent, len(fitting)))
        self._refused = self._refused or refused
        raise refused

    def assert_all_used(self) -> None:
        """Raise `NotRecordedError` if something that was recorded was not asked for."""
        left = [call for at, call in enumerate(self._calls) if at not in self._used]
        if left:
            names = "".join(f"\n  {_in_words(call['request'])}" for call in left)
            raise NotRecordedError(f"{self._path} has calls that were not made:{names}")

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if exc_type is not None:
            return
        if self._refused is not None:  # the code under test kept it to itself
            raise self._refused
        if self._all_used:
            self.assert_all_used()

    def _why_not(self, sent: Mapping[str, Any], times: int) -> str:
        if times:
            return f"{_in_words(sent)} is asked for more often than {self._path} has it: {times}."
        others = [
            _in_words(call["request"])
            for call in self._calls
            if call["request"]["operation"] == sent["operation"]
        ]
        known = "".join(f"\n  {other}" for other in others) or " nothing of this operation."
        return f"{_in_words(sent)} was not recorded; {self._path} has:{known}"


def _response(recorded: Mapping[str, Any]) -> httpx.Response:
    content = body_of(recorded)
    return httpx.Response(recorded["status"], headers=recorded["headers"], content=content)


def _travels(header: str, _: str) -> bool:
    """Whether a header is still true of a body that was read and decoded."""
    return header not in ("content-encoding", "content-length", "transfer-encoding")


def _in_words(request: Mapping[str, Any]) -> str:
    arguments = {
        name: value
        for place in ("query", "json", "form")
        if isinstance(request.get(place), dict)
        for name, value in request[place].items()
    }
    # Names and plain values only: this ends up in logs, and what was sent is not masked.
    shown = ", ".join(
        f"{name}={value!r}" if stays(name) else name for name, value in sorted(arguments.items())
    )
    return f"{request['operation']} at {request['path']} with ({shown})"


def _read(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the calls of a recording, and the fields that were masked on request."""
    try:
        document = load_document(path.read_bytes())
        calls: list[dict[str, Any]] = document["calls"]
        for call in calls:
            request, response = call["request"], call["response"]
            _ = request["operation"], request["method"], request["path"].split("/")
            _ = response["status"], response["headers"].items()
        return calls, document.get("masked_fields", [])
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a recording: {error!r}.") from error


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{token_hex(8)}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
