"""Real traffic as fixtures: recorded with secrets and personal data masked, and played back."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from email.parser import BytesParser
from email.policy import HTTP
from os import PathLike
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

import attrs
import httpx

from ..pipeline.connections import ConnectionStackTransport
from ..pipeline.threads import in_thread
from ..resources._lookup import operation_at


def _names(*lines: str) -> frozenset[str]:
    return frozenset(name for line in lines for name in line.split())


SECRET_FIELDS = _names(
    "access_token app_secret auth_code category_asset_cipher cipher payment_auth_code",
    "refresh_token shop_cipher sign token tokenized_email upload_token verification_code",
)
"""Names whose text is masked, and then also wherever else the same text turns up."""

PERSONAL_FIELDS = _names(
    # people
    "avatar avatar_url buyer_avatar buyer_email buyer_emails buyer_nickname consignee contact_info",
    "contact_name contact_person cpf cpf_name customer_name email first_name",
    "first_name_local_script full_name last_name last_name_local_script logistics_picker_name",
    "logistics_picker_phone middle_name nick_name nickname phone phone_number phone_tail_number",
    "receiver_contact reviewer_display_name seller_contact_info seller_name sender_contact",
    "user_name username warehouse_contact",
    # places
    "address address_detail address_line1 address_line2 address_line3 address_line4",
    "address_line_1 address_line_2 address_line_3 address_line_4 addresses city city_name",
    "delivery_address district district_info district_name district_or_county full_address",
    "latitude location longitude postal_code postcode recipient_address return_warehouse_address",
    "sender_address standardized_address street street2 street_address_line1",
    "street_address_line2 town town_name zip_code zipcode",
    # what they wrote, and documents about them
    "buyer_comments buyer_message buyer_note content custom_message doc_url document_url",
    "download_url file_url message_body note proof_url return_qr_code review_text upload_url",
)
"""Names whose text is masked; where an object stands, all text in it but ids and regions."""

_KEPT = _names("address_level address_level_name iso_code region region_code")
_NOT_ARGUMENTS = _names(
    "access_token app_key app_secret auth_code category_asset_cipher refresh_token shop_cipher",
    "sign timestamp",
)
"""Query parameters that say who asks and when, and not for what."""
_TOKEN_HEADER = "x-tts-access-token"  # noqa: S105  the header's name
_KEPT_HEADERS = ("content-type", "retry-after", "x-tts-logid", "x-tt-logid", "x-request-id")
_MASK = re.compile(r"masked-\d+(@example\.invalid)?")
_SHORTEST_SECRET = 6
"""Shorter text is masked where it stands, and not looked for elsewhere."""


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
    secrets: set[str]
    response: dict[str, Any] | None = None


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
        exchange = _Exchange(_described(request), _credentials(request))
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
            **_content(body),
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
            await in_thread(_write, self._path, self._document())

    def _document(self) -> str:
        done = [exchange for exchange in self._exchanges if exchange.response is not None]
        done.sort(key=lambda exchange: json.dumps(exchange.request, sort_keys=True))
        masking = _Masking(*self._names)
        for exchange in done:
            masking.secrets |= exchange.secrets
            masking.find_secrets([exchange.request, exchange.response])
        calls = [
            {"request": masking.masked(each.request), "response": masking.masked(each.response)}
            for each in done
        ]
        return json.dumps({"calls": calls}, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


class ReplayTransport(httpx.AsyncBaseTransport):
    """Answers from a file, equal questions in the order of their recording; see `replay`."""

    def __init__(self, path: Path, *, all_used: bool, ignore: frozenset[str]) -> None:
        self._path = path
        self._calls: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["calls"]
        self._used: set[int] = set()
        self._all_used = all_used
        self._ignore = ignore

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer ``request``, or raise `NotRecordedError`."""
        await request.aread()
        sent = _described(request)
        fitting = [
            at for at, call in enumerate(self._calls) if _fits(call["request"], sent, self._ignore)
        ]
        for at in fitting:
            if at not in self._used:
                self._used.add(at)
                return _response(self._calls[at]["response"])
        raise NotRecordedError(self._why_not(sent, len(fitting)))

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
        if self._all_used and exc_type is None:
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


class _Masking:
    """Replaces text by masks: equal text by equal ones, numbered as they are first met."""

    def __init__(self, secret_fields: frozenset[str], personal_fields: frozenset[str]) -> None:
        self.secrets: set[str] = set()
        self._secret_fields = secret_fields
        self._personal_fields = personal_fields
        # No digests: those of a phone number are soon guessed.
        self._numbers: dict[str, int] = {}

    def find_secrets(self, value: Any, name: str = "") -> None:
        """Take in what stands under a secret's name."""
        for child_name, child in _children(value):
            self.find_secrets(child, child_name or name)
        if isinstance(value, str):
            if name in self._secret_fields:
                self.secrets.add(value)
            elif (nested := _json_in(value)) is not None:
                self.find_secrets(nested)

    def masked(self, value: Any, name: str = "", *, personal: bool = False) -> Any:
        """Return ``value`` with masks; ``name`` is the field it stands in."""
        personal = (personal or name in self._personal_fields) and not _stays(name)
        if isinstance(value, dict):
            return {key: self.masked(child, key, personal=personal) for key, child in value.items()}
        if isinstance(value, list):
            return [self.masked(child, name, personal=personal) for child in value]
        if value in ("", None) or isinstance(value, bool):
            return value
        if personal or name in self._secret_fields:
            return self._mask(str(value))
        return self._without_secrets(value) if isinstance(value, str) else value

    def _without_secrets(self, text: str) -> str:
        nested = _json_in(text)
        if nested is not None:
            masked = self.masked(nested)
            return text if masked == nested else json.dumps(masked, ensure_ascii=False)
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET and secret in text:
                text = text.replace(secret, self._mask(secret))
        return text

    def _mask(self, text: str) -> str:
        number = self._numbers.setdefault(text, len(self._numbers) + 1)
        return f"masked-{number}@example.invalid" if "@" in text else f"masked-{number}"


def _stays(name: str) -> bool:
    return name in _KEPT or name in ("id", "ids") or name.endswith(("_id", "_ids"))


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from (("", child) for child in value)


def _json_in(text: str) -> Any:
    """Return the object or list that ``text`` is the JSON of; some fields hold such text."""
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


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
    content_type = request.headers.get("content-type", "")
    if content_type.startswith("multipart/form-data"):
        described["form"] = _form(content_type, request.content)
    elif request.content:
        described |= _content(request.content)
    return described


def _credentials(request: httpx.Request) -> set[str]:
    pairs = parse_qsl(request.url.query.decode("ascii"))
    known = _NOT_ARGUMENTS - {"app_key", "timestamp"}
    found = {value for name, value in pairs if name in known}
    return found | {request.headers.get(_TOKEN_HEADER, "")} - {""}


def _form(content_type: str, body: bytes) -> dict[str, Any]:
    """Return a form's fields: texts as they are, of files only what tells them apart."""
    head = f"content-type: {content_type}\r\n\r\n".encode()
    fields: dict[str, Any] = {}
    for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
        name = str(part.get_param("name", "", "content-disposition"))
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        if part.get_filename() is None:
            fields[name] = content.decode("utf-8", "replace")
        else:
            digest = hashlib.sha256(content).hexdigest()
            fields[name] = {"bytes": len(content), "sha256": digest}
    return fields


def _content(body: bytes) -> dict[str, Any]:
    """Return a body as JSON if it is any, else as text, else in base64."""
    try:
        text = body.decode()
    except ValueError:
        return {"base64": base64.b64encode(body).decode()}
    try:
        return {"json": json.loads(text)}
    except (ValueError, RecursionError):
        return {"text": text}


def _response(recorded: Mapping[str, Any]) -> httpx.Response:
    if "json" in recorded:
        body = json.dumps(recorded["json"], ensure_ascii=False, separators=(",", ":")).encode()
    elif "text" in recorded:
        body = recorded["text"].encode()
    else:
        body = base64.b64decode(recorded["base64"])
    return httpx.Response(recorded["status"], headers=recorded["headers"], content=body)


def _travels(header: str) -> bool:
    """Whether a header is still true of a body that was read and decoded."""
    return header not in ("content-encoding", "content-length", "transfer-encoding")


def _fits(recorded: Any, sent: Any, ignore: frozenset[str]) -> bool:
    """Whether ``sent`` is what was recorded; a mask fits any text."""
    if isinstance(recorded, dict) and isinstance(sent, dict):
        return all(
            name in ignore
            or (name in recorded and name in sent and _fits(recorded[name], sent[name], ignore))
            for name in recorded.keys() | sent.keys()
        )
    if isinstance(recorded, list) and isinstance(sent, list):
        return len(recorded) == len(sent) and all(
            _fits(one, other, ignore) for one, other in zip(recorded, sent, strict=True)
        )
    if isinstance(recorded, str) and recorded != sent:
        nested = _json_in(recorded)
        if nested is not None and isinstance(sent, str):
            return _fits(nested, _json_in(sent), ignore)
        return not isinstance(sent, (dict, list)) and _MASK.fullmatch(recorded) is not None
    return bool(recorded == sent)


def _in_words(request: Mapping[str, Any]) -> str:
    arguments = {
        name: value
        for place in ("query", "json", "form")
        if isinstance(request.get(place), dict)
        for name, value in request[place].items()
    }
    # Names and plain values only: this ends up in logs, and what was sent is not masked.
    shown = ", ".join(
        f"{name}={value!r}" if _stays(name) else name for name, value in sorted(arguments.items())
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
