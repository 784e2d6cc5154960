"""Operation, arguments and options -> exact path, query, headers and bytes; the only serialiser."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

import attrs
import httpx

from ..errors import InvalidArgumentError
from ..options import RequestOptions
from .arguments.files import MultipartBody, can_be_read_again, multipart_body
from .arguments.idempotency import choose_key, collect_keys
from .arguments.kinds import Kind, convert
from .arguments.values import argument_name, plain, query_text
from .credentials import Credentials
from .operation import Operation

Arguments = Mapping[str, Any]

_NO_ARGUMENTS: Arguments = {}
_SIGNED_BY_US = frozenset({"app_key", "sign", "timestamp", "access_token"})
_SET_BY_US = frozenset(
    {"accept-encoding", "connection", "content-encoding", "content-length", "content-type"}
    | {"expect", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding"}
    | {"upgrade", "x-tts-access-token"}
)
"""Headers that frame, sign or decode the bytes: only the client can set them."""
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_INDEX = re.compile(r"\[\d+\]")
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
Headers = tuple[tuple[bytes, bytes], ...]

M = TypeVar("M")


@attrs.frozen(kw_only=True)
class Call:
    """One call as its caller wrote it: an operation and arguments by their wire names."""

    operation: Operation
    path: Arguments = attrs.field(default=_NO_ARGUMENTS, repr=False)
    query: Arguments = attrs.field(default=_NO_ARGUMENTS, repr=False)
    body: Arguments = attrs.field(default=_NO_ARGUMENTS, repr=False)
    options: RequestOptions

    @property
    def idempotency_key(self) -> str | None:
        """The key by which the service processes the call once, however often it is sent."""
        return self.options.idempotency_key if self.operation.idempotency_key else None

    def with_key(self) -> Call:
        """Return the call with one idempotency key for all attempts, if its operation takes one.

        Raise `InvalidArgumentError` if the caller gives keys that differ.
        """
        place = self.operation.idempotency_key
        if place is None:
            return self
        given = collect_keys(self.query if place == "query" else self.body, self.options)
        try:
            key = choose_key(given) or uuid4().hex
        except InvalidArgumentError as error:
            error.operation = self.operation.id
            raise
        if self.options.idempotency_key == key:
            return self
        return attrs.evolve(self, options=attrs.evolve(self.options, idempotency_key=key))

    @property
    def repeatable(self) -> bool:
        """Whether it can be sent again: not with an open file that cannot be read twice."""
        return all(can_be_read_again(value) for value in self.body.values())


@attrs.frozen
class PreparedCall(Generic[M]):
    """A call with everything that its attempts share."""

    call: Call
    version: str
    model: type[M] | None
    """The class of its data; None for plain values."""
    credentials: Credentials


@attrs.frozen(kw_only=True)
class UnsignedRequest:
    """A request complete but for app key, timestamp, cipher, signature and token."""

    method: str
    path: str
    """Decoded, as it is signed."""
    query: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    """Decoded, as it is signed."""
    target: str = attrs.field(repr=False)
    """Path and query as they go over the wire, ready for more parameters."""
    headers: Headers = attrs.field(repr=False)
    """Those of the body, and the caller's own."""
    body: bytes | MultipartBody = attrs.field(repr=False)

    @property
    def signed_body(self) -> bytes:
        """The part of the body that the signature covers: all of it, but nothing of a form."""
        return self.body if isinstance(self.body, bytes) else b""

    @property
    def stream(self) -> httpx.AsyncByteStream:
        """The body as httpx sends it."""
        return httpx.ByteStream(self.body) if isinstance(self.body, bytes) else self.body


def build_request(call: Call, version: str, files: ExitStack) -> UnsignedRequest:
    """Return the request of ``call``; files that it opens are closed with ``files``."""
    try:
        return _Builder(call, version).build(files)
    except InvalidArgumentError as error:
        error.operation = call.operation.id
        raise
    except (UnicodeEncodeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(
            f"an argument cannot be sent: {error}.", operation=call.operation.id
        ) from error


class _Builder:
    """Collects the parts of one request, refusing what the chosen version does not take."""

    def __init__(self, call: Call, version: str) -> None:
        self._call = call
        self._operation = call.operation
        self._version = version
        # Not a method of this builder, which would make the two a reference cycle.
        self._check_nested = (
            partial(_check_version, call.operation, version) if call.operation.only_in else None
        )

    def build(self, files: ExitStack) -> UnsignedRequest:
        path, encoded_path = self._path()
        query = self._query()
        body, headers = self._body(files)
        encoded_query = "".join(
            [f"{quote(name, safe='')}={quote(value, safe='')}&" for name, value in query]
        )
        return UnsignedRequest(
            method=self._operation.method,
            path=path,
            query=tuple(query),
            target=f"{encoded_path}?{encoded_query}",
            headers=(*headers, *self._extra_headers()),
            body=body,
        )

    def _path(self) -> tuple[str, str]:
        template = self._operation.path.replace("{version}", self._version)
        arguments = self._call.path
        if not arguments:
            return template, quote(template)
        texts = {name: self._path_text(name, value) for name, value in arguments.items()}
        encoded = {name: quote(text, safe="") for name, text in texts.items()}
        return template.format_map(texts), template.format_map(encoded)

    def _path_text(self, name: str, value: Any) -> str:
        argument = f"path.{name}"
        kind = self._operation.arguments.get(argument, str)
        text = "" if value is None else query_text(convert(value, kind, argument), argument)
        # Dot segments would be resolved on the way and address another resource.
        if text in ("", ".", "..") or "/" in text:
            raise InvalidArgumentError(f"{name} must be an id, not {text!r}.", argument=name)
        return text

    def _query(self) -> list[tuple[str, str]]:
        options = self._call.options
        arguments = self._given("query", self._call.query)
        if options.idempotency_key is not None and self._key_place() == "query":
            arguments.setdefault("idempotency_key", options.idempotency_key)
        for name, value in (options.extra_query or {}).items():
            _check_not_signed_by_us(name, "extra_query")
            arguments[name] = plain(value, f"extra_query.{name}")
        return [(name, query_text(value, f"query.{name}")) for name, value in arguments.items()]

    def _body(self, files: ExitStack) -> tuple[bytes | MultipartBody, Headers]:
        options, operation = self._call.options, self._operation
        arguments = self._given("body", self._call.body)
        if options.idempotency_key is not None and self._key_place() == "body":
            arguments.setdefault("idempotency_key", options.idempotency_key)
        if operation.body == "multipart":
            extra = {
                name: value if name in operation.files else plain(value, f"extra_body.{name}")
                for name, value in (options.extra_body or {}).items()
            }
            form = self._form(arguments | extra, files)
            return form, form.headers
        for name, value in (options.extra_body or {}).items():
            arguments[name] = plain(value, f"extra_body.{name}")
        if arguments or (operation.body == "json" and operation.method != "GET"):
            content = _JSON.encode(arguments).encode()
            return content, ((b"content-type", b"application/json"), _content_length(content))
        return b"", () if operation.method == "GET" else (_content_length(b""),)

    def _form(self, arguments: Mapping[str, Any], files: ExitStack) -> MultipartBody:
        parts = {name: value for name, value in arguments.items() if name in self._operation.files}
        texts = {
            name: value if isinstance(value, str) else _JSON.encode(value)
            for name, value in arguments.items()
            if name not in parts
        }
        return multipart_body(texts, parts, files)

    def _given(self, place: str, arguments: Arguments) -> dict[str, Any]:
        """Return the plain values of the arguments that were given; files are left as they are."""
        operation, given = self._operation, {}
        for name, value in arguments.items():
            path = f"{place}.{name}"
            if value is None:
                if path in operation.required:
                    name = operation.renamed.get(path, name)  # noqa: PLW2901 - to raise
                    raise InvalidArgumentError(f"{name} is required.", argument=name)
                continue
            if operation.only_in:
                if self._is_elsewhere(place, name):
                    continue
                _check_version(self._operation, self._version, path)
            kind = operation.arguments.get(path)
            given[name] = value if type(value) is kind else self._converted(value, kind, path)
        return given

    def _converted(self, value: Any, kind: Kind | None, path: str) -> Any:
        place, _, name = path.partition(".")
        if kind is None:
            if place == "query":
                _check_not_signed_by_us(name, "query")
            return value if name in self._operation.files else plain(value, path)
        name = self._operation.renamed.get(path, name)
        converted = convert(value, kind, f"{place}.{name}", self._check_nested)
        if not converted and path in self._operation.refuse_empty:
            raise InvalidArgumentError(
                f"{name} must not be empty: the service may take an empty list for everything.",
                argument=name,
                hint="Leave it out to mean everything.",
            )
        return converted

    def _is_elsewhere(self, place: str, name: str) -> bool:
        """Whether this version takes the argument, but in another place than this one."""
        other, arguments = (
            ("body", self._call.body) if place == "query" else ("query", self._call.query)
        )
        return (
            name in arguments
            and not _is_known(self._operation, self._version, f"{place}.{name}")
            and _is_known(self._operation, self._version, f"{other}.{name}")
        )

    def _key_place(self) -> str:
        if self._operation.idempotency_key is None:
            raise InvalidArgumentError(
                "the operation takes no idempotency key.", argument="idempotency_key"
            )
        return self._operation.idempotency_key

    def _extra_headers(self) -> Headers:
        given = self._call.options.extra_headers
        if not given:
            return ()
        headers = {}
        for name, value in given.items():
            header = _header(name, value)
            headers[header[0].lower()] = header  # names that differ in case only are one header
        return tuple(headers.values())


def merge_headers(headers: Headers, defaults: Headers) -> list[tuple[bytes, bytes]]:
    """Return ``headers``, and those of ``defaults`` that they do not replace."""
    names = {name.lower() for name, _ in headers}
    return [*(default for default in defaults if default[0] not in names), *headers]


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    if name.lower() in _SET_BY_US:
        raise InvalidArgumentError(
            f"the header {name} is set by the client and cannot be replaced.",
            argument="extra_headers",
        )
    if (
        not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value))
        or value != value.strip(" \t")  # HTTP does not count whitespace around it as its part
    ):
        raise InvalidArgumentError(
            f"the header {name!r} is not valid HTTP.", argument="extra_headers"
        )
    return name.encode("ascii"), value.encode("latin-1")


def _check_not_signed_by_us(name: str, argument: str) -> None:
    if name in _SIGNED_BY_US:
        raise InvalidArgumentError(
            f"{name} is set for every attempt and cannot be given.", argument=argument
        )


def _is_known(operation: Operation, version: str, path: str) -> bool:
    versions = operation.only_in.get(path)
    return versions is None or version in versions


def _check_version(operation: Operation, version: str, path: str) -> None:
    plain_path = _INDEX.sub("", path) if "[" in path else path
    if not _is_known(operation, version, plain_path):
        name, versions = argument_name(path), operation.only_in[plain_path]
        raise InvalidArgumentError(
            f"version {version} has no {name}.",
            argument=name,
            hint=f"Leave it out, or choose api_version={versions[-1]!r}.",
        )


def _content_length(content: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(content)).encode()
