"""Masks secrets in text that is shown to people."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "***"

_NAMED_SECRET = re.compile(
    r"""(?ix)
    ( ["']? \b
      (?: app_secret | access_token | refresh_token | auth_code | shop_cipher
        | category_asset_cipher | cipher | x-tts-access-token | sign )
      \b ["']? \s* [:=] \s* ["']? )
    [^"'&\s,}<>]+
    """
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` without ``secrets`` and without values that stand behind a secret's name."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return _NAMED_SECRET.sub(rf"\g<1>{MASK}", text)


def excerpt(body: bytes, secrets: Iterable[str] = (), limit: int = 300) -> str:
    """Return the redacted beginning of a body, on one line."""
    # A secret that straddles the limit must still be found, so the cut comes last.
    text = redact(body[: limit * 8].decode("utf-8", "replace"), secrets)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[:limit] + "…"
