"""Conversion of request and response bodies to their recorded form, and back."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from .json_text import UnreadableJSONError, decode_text, dump_json, parse_json

_KEPT_TEXT_TYPES = ("application/json", "text/html", "text/plain", "")
"""Media types of text that is recorded; other text, such as CSV, cannot be masked."""
_IMAGE_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")
"""The first bytes of PNG, JPEG, GIF and WebP."""

_EMBEDDED_JSON = re.compile(r"""[{,]\s*\\*["']\w+\\*["']\s*:""")

Described = dict[str, Any]


def describe_body(content: bytes, content_type: str) -> Described:
    """Return a body as JSON, form fields, text or base64, or the reason why it is withheld.

    A body that cannot be parsed cannot be masked, so it must not be recorded.
    """
    media_type, charset = _parse_media_type(content_type)
    if media_type == "multipart/form-data":
        return _describe_form(content, content_type)
    if content.startswith(_IMAGE_SIGNATURES):
        return {"base64": base64.b64encode(content).decode()}
    text = decode_text(content, charset)
    if text is None:
        return _withhold(content, "its bytes are neither text nor an image")
    if media_type == "application/x-www-form-urlencoded":
        return {"form": group_by_name(parse_qsl(text, keep_blank_values=True))}
    try:
        return {"json": parse_json(text)}
    except UnreadableJSONError as error:
        if text.lstrip().startswith(("{", "[", '"')):
            return _withhold(content, str(error))
    if _EMBEDDED_JSON.search(text):
        return _withhold(content, "it has JSON within other text")
    if media_type not in _KEPT_TEXT_TYPES and not media_type.endswith("+json"):
        return _withhold(content, f"a document of type {media_type} cannot be masked")
    return {"text": text}


def group_by_name(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the fields of a query or form; a repeated name has a list of its values."""
    fields: dict[str, list[Any]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return {name: values if values[1:] else values[0] for name, values in fields.items()}


def _withhold(content: bytes, reason: str) -> Described:
    """Return the placeholder of a body that is not recorded."""
    return {"withheld": reason, "bytes": len(content)}


def restore_body(recorded: Mapping[str, Any]) -> bytes:
    """Return the body of a recorded response, or a sentence for one that was withheld."""
    if "json" in recorded:
        return dump_json(recorded["json"]).encode()
    if "text" in recorded:
        return _encoded(recorded["text"])
    if "base64" in recorded:
        return base64.b64decode(recorded["base64"])
    reason, size = recorded["withheld"], recorded["bytes"]
    return _encoded(f"This body of {size} bytes was not recorded: {reason}.")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _parse_media_type(content_type: str) -> tuple[str, str | None]:
    header = Message()
    header["content-type"] = content_type
    charset = header.get_content_charset()
    return (header.get_content_type() if content_type else ""), charset


def _describe_form(content: bytes, content_type: str) -> Described:
    """Return the fields of a form: text unchanged, files as size and digest."""
    head = f"content-type: {content_type}\r\n\r\n".encode()
    fields: list[tuple[str, Any]] = []
    for part in BytesParser(policy=HTTP).parsebytes(head + content).iter_parts():
        name = str(part.get_param("name", "", "content-disposition"))
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes):
            return _withhold(content, "it is not a valid form")
        if part.get_filename() is None and (text := decode_text(payload)) is not None:
            fields.append((name, text))
        else:
            digest = hashlib.sha256(payload).hexdigest()
            fields.append((name, {"bytes": len(payload), "sha256": digest}))
    return (
        {"form": group_by_name(fields)} if fields else _withhold(content, "it is not a valid form")
    )
