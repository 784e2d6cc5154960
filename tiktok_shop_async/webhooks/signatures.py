"""Who signed a delivery: the apps whose secrets are known, several of each while they rotate."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence

from .._internal.secret import Secret
from .._internal.unpicklable import Unpicklable
from ..errors import InvalidArgumentError


class AppSecrets(Unpicklable):
    """Signs and checks deliveries; the HMAC of each secret is prepared once."""

    def __init__(self, secrets: Mapping[str, Sequence[Secret]]) -> None:
        """Take the secrets of each app by its key, the newest first."""
        self._prepared = [
            prepared for app_key, given in secrets.items() for prepared in _prepared(app_key, given)
        ]

    @property
    def app_keys(self) -> tuple[str, ...]:
        """The apps, each once."""
        return tuple(dict.fromkeys(app_key for app_key, _ in self._prepared))

    def sign(self, body: bytes) -> str:
        """Return the signature by the first app's newest secret."""
        return _digest(self._prepared[0][1], body)

    def signer_of(self, body: bytes, signature: Secret) -> str | None:
        """Return the app whose secret made the signature; all are tried, in constant time."""
        given = signature.value or b""
        if isinstance(given, str):
            given = given.encode("utf-8", "surrogatepass")
        given = given.rstrip(b" \t\r\n")  # some servers leave it at the end of a header
        signer = None
        for app_key, prepared in self._prepared:
            if hmac.compare_digest(_digest(prepared, body).encode(), given):
                signer = app_key
        return signer


def _digest(prepared: hmac.HMAC, body: bytes) -> str:
    digest = prepared.copy()
    digest.update(body)
    return digest.hexdigest()


def wrapped(given: object) -> list[Secret]:
    """Return an app's secrets, one or several, so that no traceback shows them."""
    if isinstance(given, (str, bytes)):
        return [Secret(given)]
    return [Secret(each) for each in given] if isinstance(given, Iterable) else []


def _prepared(app_key: str, secrets: Sequence[Secret]) -> list[tuple[str, hmac.HMAC]]:
    Secret(app_key).required("app_key")
    if not secrets:
        raise InvalidArgumentError(
            f"the app {app_key} has no secret.",
            argument="app_secret",
            hint="Partner Center shows it beside the app key.",
        )
    source = f"the app_secret of {app_key}"
    return [
        (
            app_key,
            hmac.new(
                each.required("app_secret", source).encode(), app_key.encode(), hashlib.sha256
            ),
        )
        for each in secrets
    ]
