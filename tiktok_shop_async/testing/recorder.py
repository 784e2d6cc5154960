"""Real traffic as fixtures: recorded with secrets and personal data masked, and played back."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from os import PathLike
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

import attrs
import httpx

from ..documents import load_document
from ..pipeline.connections import ConnectionStackTransport
from ..pipeline.threads import in_thread
from ..resources._lookup import operation_at
from .bodies import body_of, described_body
from .json_text import dump_json, json_in
from .masking import MASK, PERSONAL_FIELDS, SECRET_FIELDS, Masking, names_of, stays

_NOT_ARGUMENTS = names_of(
    "access_token app_key app_secret auth_code category_asset_cipher refresh_token shop_cipher",
    "sign timestamp",
)
"""Query parameters that say who asks and when, and not for what."""
_MASKED = PERSONAL_FIELDS | SECRET_FIELDS
_TOKEN_HEADER = "x-tts-access-token"  # noqa: S105  the header's name
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
    masked_names = frozenset(secret_fields), frozenset(personal_fields)
    return RecordingTransport(Path(path), transport or ConnectionStackTransport(), *masked_names)


def replay(
    path: str | PathLike[str], *, all_used: bool = False, ignore: Collection[str] = ()
) -> ReplayTransport:
    """Return a transport that answers as ``path`` has it, without a network.

    Args:
        all_used: Whether its block, as a context manager, fails if something was not asked for.
        ignore: Names of arguments that may differ from what was recorded.
    """
    return ReplayTransport(Path(path), all_used=all_used, ignore=frozenset(ignore))


@attrs.define
class _Exchange:
    request: dict[str, Any]
    url: str
    secrets: set[str]
    response: dict[str, Any] | None = None

    @property
    def operation(self) -> str:
        return str(self.request["operation"]).rpartition(".")[2]

    def find(self, masking: Masking) -> None:
        """Have what is secret or personal in this exchange masked wherever it appears."""
        masking.add_secrets(self.secrets)
        for part in ("query", "form", "json"):
            masking.find(self.request.get(part), self.operation)
        assert self.response is not None
        masking.find_in_response(self.response.get("json"), self.operation)

    def masked(self, masking: Masking) -> dict[str, Any]:
        """Return this exchange as it is written."""
        assert self.response is not None
        headers = {
            name: value if name == "content-type" else masking.without_known(value)
            for name, value in self.response["headers"].items()
        }
        response = {**self.response, "headers": headers}
        if "json" in response:
            response["json"] = masking.masked_response(response["json"], self.operation)
        return {
            "request": self._masked_request(masking),
            "response": _masked_text(response, masking),
        }

    def _masked_request(self, masking: Masking) -> dict[str, Any]:
        request = _masked_text(self.request, masking)
        for part in ("query", "form", "json"):
            if part in request:
                request[part] = _masked_arguments(request[part], self.operation, masking)
        if (mask := masking.mask_of(self.url)) is not None:  # a link that a response had
            request |= {"path": httpx.URL(mask).path, "query": {}}
        else:
            request["path"] = _masked_path(self.request, masking)
        if "/" in request["operation"]:
            request["operation"] = f"{request['method']} {request['path']}"
        return request


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
        self._exchanges: list[_Exchange] = []
        self._entered = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request``; an answer that never came is not recorded."""
        await request.aread()
        exchange = _Exchange(_described(request), str(request.url), _credentials(request))
        self._exchanges.append(exchange)  # in the order of asking, whatever is answered first
        response = await self._transport.handle_async_request(request)
        try:
            body = await response.aread()
        finally:
            await response.aclose()
        headers = {name: value for name, value in response.headers.items() if _travels(name)}
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
        done.sort(key=lambda exchange: json.dumps(exchange.request, sort_keys=True))
        masking = Masking(*self._names)
        for exchange in done:
            exchange.find(masking)
        calls = [exchange.masked(masking) for exchange in done]
        _write(self._path, dump_json({"calls": calls}, indent=2) + "\n")


class ReplayTransport(httpx.AsyncBaseTransport):
    """Answers from a file, equal questions in the order of their recording; see `replay`."""

    def __init__(self, path: Path, *, all_used: bool, ignore: frozenset[str]) -> None:
        self._path = path
        self._calls: list[dict[str, Any]] = load_document(path.read_bytes())["calls"]
        self._used: set[int] = set()
        self._refused: NotRecordedError | None = None
        self._all_used = all_used
        self._ignore = ignore

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer ``request``, or raise `NotRecordedError`."""
        await request.aread()
        sent = _described(request)
        fitting = [
            at
            for at, call in enumerate(self._calls)
            if _fits(_by_segments(call["request"]), _by_segments(sent), self._ignore)
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


def _described(request: httpx.Request) -> dict[str, Any]:
    """Return what is asked for, without who asks and when."""
    path = request.url.path
    operation = operation_at(request.method, path)
    described = {
        "operation": operation.id if operation else f"{request.method} {path}",
        "method": request.method,
        "path": path,
        "query": {
            name: value
            for name, value in parse_qsl(request.url.query.decode("ascii"), keep_blank_values=True)
            if name not in _NOT_ARGUMENTS
        },
    }
    if request.content:
        content_type = request.headers.get("content-type", "")
        described |= described_body(request.content, content_type)
    return described


def _masked_text(part: Mapping[str, Any], masking: Masking) -> dict[str, Any]:
    text = part.get("text")
    return {**part} if text is None else {**part, "text": masking.without_known(text)}


def _masked_arguments(arguments: Any, operation: str, masking: Masking) -> Any:
    """Return arguments with masks; what tells the files of a form apart stays."""
    if not isinstance(arguments, dict):
        return masking.masked(arguments, operation)
    files = {name: value for name, value in arguments.items() if _is_file(value)}
    others = {name: value for name, value in arguments.items() if name not in files}
    return masking.masked(others, operation) | files


def _is_file(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"bytes", "sha256"}


def _masked_path(request: Mapping[str, Any], masking: Masking) -> str:
    """Return a path with masks in its parameters; its fixed parts say what was called."""
    segments = request["path"].split("/")
    called = operation_at(request["method"], request["path"])
    template = called.path.split("/") if called else segments[:3] + ["{}"] * len(segments)
    return "/".join(
        masking.without_known(segment) if expected.startswith("{") else segment
        for segment, expected in zip(segments, template, strict=False)
    )


def _credentials(request: httpx.Request) -> set[str]:
    pairs = parse_qsl(request.url.query.decode("ascii"))
    known = _NOT_ARGUMENTS - {"app_key", "timestamp"}
    found = {value for name, value in pairs if name in known}
    return found | {request.headers.get(_TOKEN_HEADER, "")} - {""}


def _response(recorded: Mapping[str, Any]) -> httpx.Response:
    content = body_of(recorded)
    return httpx.Response(recorded["status"], headers=recorded["headers"], content=content)


def _travels(header: str) -> bool:
    """Whether a header is still true of a body that was read and decoded."""
    return header not in ("content-encoding", "content-length", "transfer-encoding")


def _by_segments(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request whose path is compared segment by segment; a mask is never two of them."""
    operation = request["operation"]
    called = request["method"] if "/" in operation else operation
    return {**request, "operation": called, "path": request["path"].split("/")}


def _fits(recorded: Any, sent: Any, ignore: frozenset[str], *, masked: bool = False) -> bool:
    """Whether ``sent`` is what was recorded: a mask fits any text, a masked number any number."""
    if isinstance(recorded, dict) and isinstance(sent, dict):
        return all(
            name in ignore
            or (
                name in recorded
                and name in sent
                and _fits(recorded[name], sent[name], ignore, masked=masked or name in _MASKED)
            )
            for name in recorded.keys() | sent.keys()
        )
    if isinstance(recorded, list) and isinstance(sent, list):
        return len(recorded) == len(sent) and all(
            _fits(one, other, ignore, masked=masked)
            for one, other in zip(recorded, sent, strict=True)
        )
    if isinstance(recorded, str) and recorded != sent:
        nested = json_in(recorded)
        if nested is not None and isinstance(sent, str):
            return _fits(nested, json_in(sent), ignore, masked=masked)
        is_text = not isinstance(sent, (dict, list))
        return is_text and _pattern(recorded).fullmatch(str(sent)) is not None
    return bool(recorded == sent) or (masked and _are_numbers(recorded, sent))


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in values)


@lru_cache(maxsize=1024)
def _pattern(recorded: str) -> re.Pattern[str]:
    """Return what matches recorded text with anything in place of its masks."""
    fixed = (re.escape(part) for part in MASK.split(recorded))
    return re.compile(".+".join(fixed), re.DOTALL)


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


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as part:
        try:
            part.write(text)
            part.close()
            Path(part.name).replace(path)
        except BaseException:
            Path(part.name).unlink()
            raise
