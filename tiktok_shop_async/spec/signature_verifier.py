"""The signature as the service computes it, from the bytes received.

It is written from the platform's page, and deliberately shares no code with `pipeline.signing`:
otherwise both could make the same mistake.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

NOT_SIGNED = ("sign", "access_token")


class SignatureVerifier:
    """A verifier of one app's requests, with a prepared HMAC key."""

    def __init__(self, app_secret: str) -> None:
        secret = app_secret.encode()
        self._start = hmac.new(secret, secret, hashlib.sha256)
        self._end = secret

    def expected(self, path: str, query: Iterable[tuple[str, str]], body: bytes) -> str:
        """Return the signature of a decoded path, decoded query parameters and signed bytes."""
        text = [path]
        for name, value in sorted(query):
            if name not in NOT_SIGNED:
                text += name, value
        digest = self._start.copy()
        # Invalid UTF-8 was decoded to surrogates, which restore the original bytes.
        digest.update("".join(text).encode("utf-8", "surrogateescape"))
        digest.update(body)
        digest.update(self._end)
        return digest.hexdigest()

    def matches(self, sign: str, path: str, query: Iterable[tuple[str, str]], body: bytes) -> bool:
        """Return whether ``sign`` is correct; it must be lowercase hex."""
        expected = self.expected(path, query, body)
        return hmac.compare_digest(sign.encode("utf-8", "surrogateescape"), expected.encode())
