"""Signatures as a server verifies them, written from the platform's page and not from the SDK."""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qsl, unquote

import httpx


def expected_signature(request: httpx.Request, app_secret: str) -> str:
    """Return the signature of the raw target and body bytes of a request."""
    raw_path, _, raw_query = request.url.raw_path.partition(b"?")
    pairs = parse_qsl(raw_query.decode("ascii"), keep_blank_values=True, strict_parsing=True)
    text = unquote(raw_path.decode("ascii"))
    for name, value in sorted(pairs):
        if name not in ("sign", "access_token"):
            text += name + value
    body = request.content
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        body = b""
    secret = app_secret.encode()
    return hmac.new(secret, secret + text.encode() + body + secret, hashlib.sha256).hexdigest()


def sent_signature(request: httpx.Request) -> str:
    return request.url.params["sign"]
