"""The serialization of a call: exact path, query, headers and bytes of one request."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any
from urllib.parse import quote

import attrs
import httpx

from ..errors import InvalidArgumentError
from .arguments.files import MultipartBody, multipart_body
from .arguments.headers import Headers, encode_headers
from .arguments.kinds import Kind, convert
from .arguments.values import argument_name, plain, query_text
from .call import Arguments, Call
from .operation import Operation

_SIGNING_PARAMETERS = frozenset({"app_key", "sign", "timestamp", "access_token"})
_INDEX = re.compile(r"\[\d+\]")
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@attrs.frozen(kw_only=True)
class UnsignedRequest:
    """A request, complete but for app key, timestamp, cipher, signature and token."""

    method: str
    path: str
    """Decoded, as it is signed."""
    query: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    """Decoded, as it is signed."""
    target: str = attrs.field(repr=False)
    """Percent-encoded path and query, ending with ``?`` or ``&`` so that parameters can follow."""
    headers: Headers = attrs.field(repr=False)
    """The headers of the body, and the caller's extra headers."""
    body: bytes | MultipartBody = attrs.field(repr=False)

    @property
    def signed_body(self) -> bytes:
        """The bytes that the signature covers: the whole body, or nothing for a form."""
        return self.body if isinstance(self.body, bytes) else b""

    @property
    def stream(self) -> httpx.AsyncByteStream:
        """The body as httpx sends it."""
        return httpx.ByteStream(self.body) if isinstance(self.body, bytes) else self.body


def build_request(call: Call, version: str, files: ExitStack) -> UnsignedRequest:
    """Return the request of ``call``; files that it opens are closed with ``files``."""
    try:
        return _RequestBuilder(call, version).build(files)
    except InvalidArgumentError as error:
        error.operation = call.operation.id
        raise
    except (UnicodeEncodeError, ValueError, RecursionError) as error:
        raise InvalidArgumentError(
            f"an argument cannot be sent: {error}.", operation=call.operation.id
        ) from error


class _RequestBuilder:
    """A builder of one request, which rejects arguments that the chosen version does not take."""

    def __init__(self, call: Call, version: str) -> None:
        self._call = call
        self._operation = call.operation
        self._version = version
        # Not a method of this builder, which would make the two a reference cycle.
        self._check_nested = (
            partial(_check_version, call.operation, version) if call.operation.only_in else None
        )

    def build(self, files: ExitStack) -> UnsignedRequest:
        path, encoded_path = self._build_path()
        query = self._build_query()
        body, headers = self._build_body(files)
        encoded_query = "".join(
            [f"{quote(name, safe='')}={quote(value, safe='')}&" for name, value in query]
        )
        extra = self._call.options.extra_headers
        return UnsignedRequest(
            method=self._operation.method,
            path=path,
            query=tuple(query),
            target=f"{encoded_path}?{encoded_query}",
            headers=(*headers, *encode_headers(extra)) if extra else headers,
            body=body,
        )

    # Path ----------------------------------------------------------------------------------------

    def _build_path(self) -> tuple[str, str]:
        """Return the path as it is signed, and as it is sent."""
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
        # A proxy would resolve dot segments, and the request would address another resource.
        if text in ("", ".", "..") or "/" in text:
            raise InvalidArgumentError(f"{name} must be an id, not {text!r}.", argument=name)
        return text

    # Query and body ------------------------------------------------------------------------------

    def _build_query(self) -> list[tuple[str, str]]:
        options = self._call.options
        arguments = self._plain_arguments("query", self._call.query)
        if options.idempotency_key is not None and self._key_location() == "query":
            arguments.setdefault("idempotency_key", options.idempotency_key)
        for name, value in (options.extra_query or {}).items():
            _reject_signing_parameter(name, "extra_query")
            arguments[name] = plain(value, f"extra_query.{name}")
        return [(name, query_text(value, f"query.{name}")) for name, value in arguments.items()]

    def _build_body(self, files: ExitStack) -> tuple[bytes | MultipartBody, Headers]:
        """Return the body, and the headers that describe it."""
        options, operation = self._call.options, self._operation
        arguments = self._plain_arguments("body", self._call.body)
        if options.idempotency_key is not None and self._key_location() == "body":
            arguments.setdefault("idempotency_key", options.idempotency_key)
        is_form = operation.body == "multipart"
        for name, value in (options.extra_body or {}).items():
            is_file = is_form and name in operation.files
            arguments[name] = value if is_file else plain(value, f"extra_body.{name}")
        if is_form:
            form = self._build_form(arguments, files)
            return form, form.headers
        if arguments or (operation.body == "json" and operation.method != "GET"):
            content = _JSON.encode(arguments).encode()
            return content, ((b"content-type", b"application/json"), _content_length(content))
        return b"", () if operation.method == "GET" else (_content_length(b""),)

    def _build_form(self, arguments: Mapping[str, Any], files: ExitStack) -> MultipartBody:
        parts = {name: value for name, value in arguments.items() if name in self._operation.files}
        texts = {
            name: value if isinstance(value, str) else _JSON.encode(value)
            for name, value in arguments.items()
            if name not in parts
        }
        return multipart_body(texts, parts, files)

    def _key_location(self) -> str:
        if self._operation.idempotency_key is None:
            raise InvalidArgumentError(
                "the operation takes no idempotency key.", argument="idempotency_key"
            )
        return self._operation.idempotency_key

    # Arguments -----------------------------------------------------------------------------------

    def _plain_arguments(self, location: str, arguments: Arguments) -> dict[str, Any]:
        """Return the arguments that are not None, as plain values; leave files as they are."""
        operation, converted = self._operation, {}
        for name, value in arguments.items():
            path = f"{location}.{name}"
            if value is None:
                if path in operation.required:
                    argument = operation.renamed.get(path, name)
                    raise InvalidArgumentError(f"{argument} is required.", argument=argument)
                continue
            if operation.only_in:
                if self._belongs_elsewhere(location, name):
                    continue
                _check_version(operation, self._version, path)
            kind = operation.arguments.get(path)
            converted[name] = value if type(value) is kind else self._convert(value, kind, path)
        return converted

    def _convert(self, value: Any, kind: Kind | None, path: str) -> Any:
        location, _, name = path.partition(".")
        if kind is None:
            if location == "query":
                _reject_signing_parameter(name, "query")
            return value if name in self._operation.files else plain(value, path)
        name = self._operation.renamed.get(path, name)
        converted = convert(value, kind, f"{location}.{name}", self._check_nested)
        if not converted and path in self._operation.refuse_empty:
            raise InvalidArgumentError(
                f"{name} must not be empty: the service may take an empty list for everything.",
                argument=name,
                hint="Leave it out to mean everything.",
            )
        return converted

    def _belongs_elsewhere(self, location: str, name: str) -> bool:
        """Return whether this version takes the argument only in the other of query and body."""
        other, arguments = (
            ("body", self._call.body) if location == "query" else ("query", self._call.query)
        )
        return (
            name in arguments
            and not _has_argument(self._operation, self._version, f"{location}.{name}")
            and _has_argument(self._operation, self._version, f"{other}.{name}")
        )


def _reject_signing_parameter(name: str, argument: str) -> None:
    if name in _SIGNING_PARAMETERS:
        raise InvalidArgumentError(
            f"{name} is set by the client for every attempt and cannot be passed.",
            argument=argument,
        )


def _has_argument(operation: Operation, version: str, path: str) -> bool:
    versions = operation.only_in.get(path)
    return versions is None or version in versions


def _check_version(operation: Operation, version: str, path: str) -> None:
    plain_path = _INDEX.sub("", path) if "[" in path else path
    if not _has_argument(operation, version, plain_path):
        name, versions = argument_name(path), operation.only_in[plain_path]
        raise InvalidArgumentError(
            f"version {version} has no {name}.",
            argument=name,
            hint=f"Leave it out, or choose api_version={versions[-1]!r}.",
        )


def _content_length(content: bytes) -> tuple[bytes, bytes]:
    return b"content-length", str(len(content)).encode()
