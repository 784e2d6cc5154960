"""Signatures of deliveries by the secrets of one or several apps."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence

from .._internal.secret import Secret
from .._internal.unpicklable import Unpicklable
from ..errors import InvalidArgumentError


class AppSecrets(Unpicklable):
    """The secrets of apps, which sign and verify deliveries; each HMAC is prepared once."""

    def __init__(self, secrets: Mapping[str, Sequence[Secret]]) -> None:
        """Prepare the secrets of each app, by app key, the newest first.

        An app has several secrets while they are rotated.
        """
        self._prepared = [
            prepared for app_key, given in secrets.items() for prepared in _prepared(app_key, given)
        ]

    @property
    def app_keys(self) -> tuple[str, ...]:
        """The keys of the apps, each once."""
        return tuple(dict.fromkeys(app_key for app_key, _ in self._prepared))

    def sign(self, body: bytes) -> str:
        """Return the signature with the first app's newest secret."""
        return _digest(self._prepared[0][1], body)

    def signer_of(self, body: bytes, signature: Secret) -> str | None:
        """Return the key of the app that signed a body; None if the signature matches no secret.

        All secrets are compared, in constant time.
        """
        given = signature.value or b""
        if isinstance(given, str):
            given = given.encode("utf-8", "surrogatepass")
        given = given.rstrip(b" \t\r\n")  # some servers leave whitespace at the end of a header
        signer = None
        for app_key, prepared in self._prepared:
            if hmac.compare_digest(_digest(prepared, body).encode(), given):
                signer = app_key
        return signer


def _digest(prepared: hmac.HMAC, body: bytes) -> str:
    digest = prepared.copy()
    digest.update(body)
    return digest.hexdigest()


def wrap_secrets(given: object) -> list[Secret]:
    """Wrap one or several secrets of an app, so that no traceback shows them."""
    if isinstance(given, (str, bytes)):
        return [Secret(given)]
    return [Secret(each) for each in given] if isinstance(given, Iterable) else []


def _prepared(app_key: str, secrets: Sequence[Secret]) -> list[tuple[str, hmac.HMAC]]:
    Secret(app_key).required("app_key")
    if not secrets:
        raise InvalidArgumentError(
            f"app_secret is missing for the app {app_key}.",
            argument="app_secret",
            hint="Partner Center shows it next to the app key.",
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
