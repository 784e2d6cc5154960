"""Transport that replays a recording without a network."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from ..._internal.argument_checks import parse_texts
from .bodies import restore_body
from .call_index import CallIndex
from .exchanges import describe
from .masking import is_readable
from .matching import Matcher
from .recording_file import read_recording


class NotRecordedError(AssertionError):
    """A request that a recording does not contain, or recorded calls that were not made."""


def replay(
    path: str | PathLike[str], *, all_used: bool = False, ignore: Collection[str] = ()
) -> ReplayTransport:
    """Return a transport that responds with a recording, without a network.

    Args:
        path: The file that `record` wrote.
        all_used: Whether the block fails if a recorded call was not made.
        ignore: Names of arguments that may differ from the recorded ones.
    """
    return ReplayTransport(
        Path(path), all_used=all_used, ignore=frozenset(parse_texts(ignore, "ignore"))
    )


class ReplayTransport(httpx.AsyncBaseTransport):
    """Responds with a recording, to equal requests in recorded order; see `replay`."""

    def __init__(self, path: Path, *, all_used: bool, ignore: frozenset[str]) -> None:
        self._path = path
        recording = read_recording(path)
        self._calls = recording.calls
        self._index = CallIndex(
            (call["request"] for call in self._calls), Matcher(ignore, recording.masked_fields)
        )
        self._first_error: NotRecordedError | None = None
        self._all_used = all_used

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the recorded response, or raise `NotRecordedError`."""
        await request.aread()
        sent = describe(request)
        position = self._index.take(sent)
        if position is not None:
            return _build_response(self._calls[position]["response"])
        error = NotRecordedError(self._explain_missing(sent))
        self._first_error = self._first_error or error
        raise error

    def assert_all_used(self) -> None:
        """Raise `NotRecordedError` if a recorded call was not made."""
        if unused := self._index.unused():
            lines = "".join(f"\n  {_summarize(self._calls[at]['request'])}" for at in unused)
            raise NotRecordedError(f"{self._path} has calls that were not made:{lines}")

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        if exc_type is not None:
            return
        if self._first_error is not None:  # the code under test caught it
            raise self._first_error
        if self._all_used:
            self.assert_all_used()

    def _explain_missing(self, sent: Mapping[str, Any]) -> str:
        if count := self._index.count(sent):
            return f"{_summarize(sent)} was requested more often than {self._path} has it: {count}."
        others = [
            _summarize(call["request"])
            for call in self._calls
            if call["request"]["operation"] == sent["operation"]
        ]
        known = "".join(f"\n  {other}" for other in others) or " no call of this operation."
        return f"{_summarize(sent)} was not recorded; {self._path} has:{known}"


def _build_response(recorded: Mapping[str, Any]) -> httpx.Response:
    content = restore_body(recorded)
    return httpx.Response(recorded["status"], headers=recorded["headers"], content=content)


def _summarize(request: Mapping[str, Any]) -> str:
    """Return a request in a line without personal data."""
    arguments = {
        name: value
        for part in ("query", "json", "form")
        if isinstance(request.get(part), dict)
        for name, value in request[part].items()
    }
    # This text ends up in logs, and what was sent is not masked: most arguments have no value here.
    shown = ", ".join(
        f"{name}={value!r}" if is_readable(name) else name
        for name, value in sorted(arguments.items())
    )
    return f"{request['operation']} at {request['path']} with ({shown})"
