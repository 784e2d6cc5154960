"""The redaction of secrets in text that people read."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from html.entities import codepoint2name

MASK = "***"

MIN_LENGTH = 8
"""Shorter values are not masked: the service issues none, and those of tests may be words."""

MAX_SECRET_BYTES = 2048
"""Maximum bytes of a secret in its longest form."""

_NAMES = (
    "app_secret",
    "access_token",
    "refresh_token",
    "auth_code",
    "shop_cipher",
    "category_asset_cipher",
    "cipher",
    "x-tts-access-token",
    "sign",
)
_WORDS = {*_NAMES, "app_key", "authorization", "signature", "timestamp", "service_id"}
"""Words of the service's messages, which a test may use as a credential: they are not masked."""

# The end of a value may be escaped or percent-encoded, like the value itself.
_END = r"""["'&\s,}<>\\]|%(?:25)*(?:26|22|20|2C)|&quot;|&\#"""
_NAMED_SECRET = re.compile(
    rf"""(?ix)
    ( (?: (?<![a-z0-9_]) | (?<=26) | (?<=22) | (?<=27) | (?<=20) | (?<=3F) )  # %26: an ampersand
      (?: {"|".join(map(re.escape, _NAMES))} ) (?![a-z0-9_-])
      (?: \\* ["'] | %(?:25)*22 | &quot; )?
      (?: \s* = \s* | %(?:25)*3D | \s* (?: : | %(?:25)*3A ) (?: \s | %(?:25)*20 )* )
      (?: \\* ["'] | %(?:25)*22 | &quot; )?
    )
    ( (?: (?! {_END} ) . )+ )
    """
)
_WORD_OF_A_MESSAGE = re.compile(r"[A-Za-z]?[a-z]*[.:;!?]*")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return ``text`` without ``secrets``, and without values that follow the name of a secret.

    Secrets are also found if they are escaped by JSON, HTML or ``repr``, or percent-encoded.
    """
    for secret in secrets:
        if len(secret) >= MIN_LENGTH and secret.lower() not in _WORDS:
            text = replace_all_forms(text, secret, lambda: MASK)
    return _NAMED_SECRET.sub(_mask_value, text)


def replace_all_forms(text: str, secret: str, mask: Callable[[], str]) -> str:
    """Replace a secret, also if it is escaped by JSON, HTML or ``repr``, or percent-encoded."""
    if _longest_run(secret) not in text:  # no encoding changes it, and the search is fast
        return text
    return _pattern(secret).sub(lambda _: mask(), text)


def redact_start(body: bytes, limit: int, secrets: Iterable[str] = ()) -> str:
    """Return the redacted text of a body, or of about its first ``limit`` bytes."""
    text = redact(body[: limit + MAX_SECRET_BYTES].decode("utf-8", "replace"), secrets)
    if len(body) >= limit + MAX_SECRET_BYTES:
        text = text[:-MAX_SECRET_BYTES]  # it may end with the beginning of a secret
    return text[:limit]


def excerpt(body: bytes, secrets: Iterable[str] = (), limit: int = 300) -> str:
    """Return the redacted beginning of a body, on one line."""
    text = redact_start(body, limit * 8, secrets)
    text = " ".join(text.split())
    return text if len(text) <= limit else text[:limit] + "…"


def _mask_value(found: re.Match[str]) -> str:
    name, value = found.group(1, 2)
    # "sign: invalid" is a sentence; after an equals sign, or in quotes, there is a value.
    if name[-1] in ": " and "=" not in name and _WORD_OF_A_MESSAGE.fullmatch(value):
        return found[0]
    return f"{name}{MASK}"


@lru_cache(maxsize=256)
def _longest_run(secret: str) -> str:
    runs: list[str] = re.findall(r"[A-Za-z0-9]*", secret)
    return max(runs, key=len)


@lru_cache(maxsize=256)
def _pattern(secret: str) -> re.Pattern[str]:
    """Return a pattern that matches a secret in all its forms."""
    return re.compile("".join(_any_form(each) for each in secret))


@lru_cache(maxsize=256)
def _any_form(character: str) -> str:
    if character.isascii() and character.isalnum():
        return character
    code = ord(character)
    percent = "%(?:25)*".join(["", *(f"(?i:{byte:02x})" for byte in _utf8(character))])
    forms = [
        percent,
        rf"\\+u(?i:{code:04x})",
        rf"\\+U(?i:{code:08x})",
        rf"&\#0*{code};",
        rf"&\#[xX]0*(?i:{code:x});",
    ]
    if code < 256:
        forms.append(rf"\\+x(?i:{code:02x})")
    if code in codepoint2name:
        forms.append(f"&{codepoint2name[code]};")
    if character == " ":
        forms.append(r"\+")
    if character in _ESCAPES:
        forms.append(rf"\\+{_ESCAPES[character]}")
    # The last alternative, because it may be the beginning of another form.
    forms.append(r"\\+" if character == "\\" else rf"\\*{re.escape(character)}")
    return f"(?:{'|'.join(forms)})"


_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


def _utf8(character: str) -> bytes:
    return character.encode("utf-8", "surrogatepass")
