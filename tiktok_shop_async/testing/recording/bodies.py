"""Bodies of requests and responses as a recording has them, and as a replay sends them."""

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

from .json_text import UnreadableJSONError, decoded_text, dump_json, parse_json

_READABLE = ("application/json", "text/html", "text/plain", "")
"""Types of text that is kept; other text, such as a table of orders, is a document."""
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")
"""The first bytes of PNG, JPEG, GIF and WebP."""

_JSON_WITHIN = re.compile(r"""[{,]\s*\\*["']\w+\\*["']\s*:""")

Described = dict[str, Any]


def described_body(content: bytes, content_type: str) -> Described:
    """Return a body as JSON, form fields, text or base64, or as withheld where it is none of them.

    What cannot be read cannot be masked, so it must not be kept.
    """
    media_type, charset = _media_type(content_type)
    if media_type == "multipart/form-data":
        return _described_form(content, content_type)
    if content.startswith(_IMAGES):
        return {"base64": base64.b64encode(content).decode()}
    text = decoded_text(content, charset)
    if text is None:
        return withheld(content, "its bytes are neither text nor a picture")
    if media_type == "application/x-www-form-urlencoded":
        return {"form": by_name(parse_qsl(text, keep_blank_values=True))}
    try:
        return {"json": parse_json(text)}
    except UnreadableJSONError as error:
        if text.lstrip().startswith(("{", "[", '"')):
            return withheld(content, str(error))
    if _JSON_WITHIN.search(text):
        return withheld(content, "it is JSON in other text")
    if media_type not in _READABLE and not media_type.endswith("+json"):
        return withheld(content, f"a document of type {media_type} cannot be masked")
    return {"text": text}


def by_name(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the fields of a query or form; of a name that is repeated, the list of its values."""
    fields: dict[str, list[Any]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return {name: values if values[1:] else values[0] for name, values in fields.items()}


def withheld(content: bytes, reason: str) -> Described:
    """Return what stands for a body that is not kept."""
    return {"withheld": reason, "bytes": len(content)}


def body_of(recorded: Mapping[str, Any]) -> bytes:
    """Return the body of a recorded response; of a withheld one, a sentence that says so."""
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


def _media_type(content_type: str) -> tuple[str, str | None]:
    header = Message()
    header["content-type"] = content_type
    charset = header.get_content_charset()
    return (header.get_content_type() if content_type else ""), charset


def _described_form(content: bytes, content_type: str) -> Described:
    """Return a form's fields: texts as they are, of files only what tells them apart."""
    head = f"content-type: {content_type}\r\n\r\n".encode()
    fields: list[tuple[str, Any]] = []
    for part in BytesParser(policy=HTTP).parsebytes(head + content).iter_parts():
        name = str(part.get_param("name", "", "content-disposition"))
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes):
            return withheld(content, "it is not a valid form")
        if part.get_filename() is None and (text := decoded_text(payload)) is not None:
            fields.append((name, text))
        else:
            digest = hashlib.sha256(payload).hexdigest()
            fields.append((name, {"bytes": len(payload), "sha256": digest}))
    return {"form": by_name(fields)} if fields else withheld(content, "it is not a valid form")
