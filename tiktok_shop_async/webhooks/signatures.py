"""Who signed a delivery: the apps whose secrets are known, several of each while they rotate."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from .._not_pickled import NotPickled
from ..errors import InvalidArgumentError


class AppSecrets(NotPickled):
    """Signs and checks deliveries; the HMAC of each secret is prepared once."""

    def __init__(self, secrets: Mapping[str, str | Sequence[str]]) -> None:
        """Take the secrets of each app by its key, the newest first."""
        self._prepared = [
            (app_key, hmac.new(secret.encode(), app_key.encode(), hashlib.sha256))
            for app_key, given in secrets.items()
            for secret in _checked(app_key, given)
        ]

    @property
    def app_keys(self) -> tuple[str, ...]:
        """The apps, each once."""
        return tuple(dict.fromkeys(app_key for app_key, _ in self._prepared))

    def sign(self, body: bytes) -> str:
        """Return the signature by the first app's newest secret."""
        return _digest(self._prepared[0][1], body)

    def signer_of(self, body: bytes, signature: bytes) -> str | None:
        """Return the app whose secret made the signature; all are tried, in constant time."""
        signer = None
        for app_key, prepared in self._prepared:
            if hmac.compare_digest(_digest(prepared, body).encode(), signature):
                signer = app_key
        return signer


def _digest(prepared: hmac.HMAC, body: bytes) -> str:
    digest = prepared.copy()
    digest.update(body)
    return digest.hexdigest()


def _checked(app_key: str, given: str | Sequence[str]) -> Sequence[str]:
    secrets = [given] if isinstance(given, str) else list(given or ())
    if not isinstance(app_key, str) or not app_key:
        raise InvalidArgumentError("an app key is missing.", argument="app_key")
    if not secrets or not all(isinstance(each, str) and each for each in secrets):
        raise InvalidArgumentError(
            f"the app {app_key} has no secret, or an empty one.",
            argument="app_secret",
            hint="Partner Center shows it beside the app key.",
        )
    return secrets
