"""Recorded requests with their responses, and their masked form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import attrs
import httpx

from ...registry import find_operation_at
from .bodies import describe_body, group_by_name
from .masking import Masking, split_names

_NOT_ARGUMENTS = split_names(
    "access_token app_key app_secret auth_code category_asset_cipher refresh_token shop_cipher",
    "sign timestamp",
)
"""Query parameters that identify the caller and the time, not what is requested."""
_LINK_CREDENTIAL = re.compile(r"(?i)(?:^|-)(?:credential|security-token|signature)$|accesskeyid$")
"""Names of parameters that grant access to whoever has the link."""
_TOKEN_HEADER = "x-tts-access-token"  # noqa: S105  the header's name


@attrs.define
class Exchange:
    """A request and its response, which is None until it arrives."""

    request: dict[str, Any]
    url: str
    secrets: set[str]
    response: dict[str, Any] | None = None

    @property
    def operation(self) -> str:
        """Return the name of the operation, without its group."""
        return str(self.request["operation"]).rpartition(".")[2]

    def collect(self, masking: Masking) -> None:
        """Add the secrets and personal data of this exchange to ``masking``."""
        masking.add_secrets(self.secrets)
        for part in ("query", "form", "json"):
            masking.collect(self.request.get(part), self.operation)
        assert self.response is not None
        masking.collect_from_response(self.response.get("json"), self.operation)

    def mask(self, masking: Masking) -> dict[str, Any]:
        """Return this exchange with masks, as the recording has it."""
        assert self.response is not None
        headers = {
            name: value if name == "content-type" else masking.mask_known(value)
            for name, value in self.response["headers"].items()
        }
        response = {**self.response, "headers": headers}
        if "json" in response:
            response["json"] = masking.mask_response(response["json"], self.operation)
        return {
            "request": self.mask_request(masking),
            "response": _mask_text(response, masking),
        }

    def mask_request(self, masking: Masking) -> dict[str, Any]:
        """Return the request with masks, as the recording has it."""
        request = _mask_text(self.request, masking)
        for part in ("query", "form", "json"):
            if part in request:
                request[part] = _mask_arguments(request[part], self.operation, masking)
        if (mask := masking.mask_if_known(self.url)) is not None:  # a link from a response
            request |= {"path": httpx.URL(mask).path, "query": {}}
        else:
            request["path"] = _mask_path(self.request, masking)
        if "/" in request["operation"]:
            request["operation"] = f"{request['method']} {request['path']}"
        return request


def describe(request: httpx.Request) -> dict[str, Any]:
    """Return what a request is for, without credentials, signature and time."""
    path = request.url.path
    pairs = parse_qsl(request.url.query.decode("ascii"), keep_blank_values=True)
    operation = find_operation_at(request.method, path)
    described = {
        "operation": operation.id if operation else f"{request.method} {path}",
        "method": request.method,
        "path": path,
        "query": group_by_name(pair for pair in pairs if pair[0] not in _NOT_ARGUMENTS),
    }
    if request.content:
        content_type = request.headers.get("content-type", "")
        described |= describe_body(request.content, content_type)
    return described


def credentials_in(request: httpx.Request) -> set[str]:
    """Return the secrets in the query and headers of a request."""
    pairs = parse_qsl(request.url.query.decode("ascii"))
    known = _NOT_ARGUMENTS - {"app_key", "timestamp"}
    found = {value for name, value in pairs if name in known or _LINK_CREDENTIAL.search(name)}
    return found | {request.headers.get(_TOKEN_HEADER, "")} - {""}


def _mask_text(part: Mapping[str, Any], masking: Masking) -> dict[str, Any]:
    text = part.get("text")
    return {**part} if text is None else {**part, "text": masking.mask_known(text)}


def _mask_arguments(arguments: Any, operation: str, masking: Masking) -> Any:
    """Return arguments with masks; the size and digest of files stay."""
    if not isinstance(arguments, dict):
        return masking.mask(arguments, operation)
    files = {name: value for name, value in arguments.items() if _is_file(value)}
    others = {name: value for name, value in arguments.items() if name not in files}
    return masking.mask(others, operation) | files


def _is_file(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"bytes", "sha256"}


def _mask_path(request: Mapping[str, Any], masking: Masking) -> str:
    """Return a path with masks in its parameters; its fixed segments stay."""
    segments = request["path"].split("/")
    operation = find_operation_at(request["method"], request["path"])
    template = operation.path.split("/") if operation else ["{}"] * len(segments)
    return "/".join(
        masking.mask_known(segment) if expected.startswith("{") else segment
        for segment, expected in zip(segments, template, strict=False)
    )
