"""The signature as the service computes it: from the bytes that arrived.

Written from the platform's page and apart from the SDK's own signing on purpose. If both shared
code, they would agree on a mistake.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable

NOT_SIGNED = ("sign", "access_token")


class SignatureVerifier:
    """Verifies the requests of one app; the HMAC's key is prepared once."""

    def __init__(self, app_secret: str) -> None:
        secret = app_secret.encode()
        self._start = hmac.new(secret, secret, hashlib.sha256)
        self._end = secret

    def expected(self, path: str, query: Iterable[tuple[str, str]], body: bytes) -> str:
        """Return the signature of a decoded path, decoded query pairs and the signed bytes."""
        text = [path]
        for name, value in sorted(query):
            if name not in NOT_SIGNED:
                text += name, value
        digest = self._start.copy()
        # What is no UTF-8 was decoded to surrogates: so the very bytes that came are signed.
        digest.update("".join(text).encode("utf-8", "surrogateescape"))
        digest.update(body)
        digest.update(self._end)
        return digest.hexdigest()

    def matches(self, sign: str, path: str, query: Iterable[tuple[str, str]], body: bytes) -> bool:
        """Return whether ``sign`` is right; only lowercase hex is."""
        expected = self.expected(path, query, body)
        return hmac.compare_digest(sign.encode("utf-8", "surrogateescape"), expected.encode())
