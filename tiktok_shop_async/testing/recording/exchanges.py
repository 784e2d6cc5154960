"""Requests and responses as a recording has them: described, and masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import attrs
import httpx

from ...registry import find_operation_at
from .bodies import by_name, described_body
from .masking import Masking, split_names

_NOT_ARGUMENTS = split_names(
    "access_token app_key app_secret auth_code category_asset_cipher refresh_token shop_cipher",
    "sign timestamp",
)
"""Query parameters that say who asks and when, and not for what."""
_SIGNS_A_LINK = re.compile(r"(?i)(?:^|-)(?:credential|security-token|signature)$|accesskeyid$")
"""Names of parameters that grant whoever has the link what it leads to."""
_TOKEN_HEADER = "x-tts-access-token"  # noqa: S105  the header's name


@attrs.define
class Exchange:
    """A request and its response, if there was one."""

    request: dict[str, Any]
    url: str
    secrets: set[str]
    response: dict[str, Any] | None = None

    @property
    def operation(self) -> str:
        """Return the name of the operation, without its group."""
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
            "request": self.masked_request(masking),
            "response": _masked_text(response, masking),
        }

    def masked_request(self, masking: Masking) -> dict[str, Any]:
        """Return the request as it is written."""
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


def describe(request: httpx.Request) -> dict[str, Any]:
    """Return what is asked for, without who asks and when."""
    path = request.url.path
    pairs = parse_qsl(request.url.query.decode("ascii"), keep_blank_values=True)
    operation = find_operation_at(request.method, path)
    described = {
        "operation": operation.id if operation else f"{request.method} {path}",
        "method": request.method,
        "path": path,
        "query": by_name(pair for pair in pairs if pair[0] not in _NOT_ARGUMENTS),
    }
    if request.content:
        content_type = request.headers.get("content-type", "")
        described |= described_body(request.content, content_type)
    return described


def credentials_in(request: httpx.Request) -> set[str]:
    """Return the secrets that a request carries."""
    pairs = parse_qsl(request.url.query.decode("ascii"))
    known = _NOT_ARGUMENTS - {"app_key", "timestamp"}
    found = {value for name, value in pairs if name in known or _SIGNS_A_LINK.search(name)}
    return found | {request.headers.get(_TOKEN_HEADER, "")} - {""}


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
    called = find_operation_at(request["method"], request["path"])
    template = called.path.split("/") if called else ["{}"] * len(segments)
    return "/".join(
        masking.without_known(segment) if expected.startswith("{") else segment
        for segment, expected in zip(segments, template, strict=False)
    )
