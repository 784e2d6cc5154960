"""Verification and parsing of deliveries."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from .._internal.clock import TimeSource, clock_of
from .._internal.secret import Secret
from .._internal.unpicklable import Unpicklable
from ..errors import InvalidArgumentError, WebhookExpiredError, WebhookSignatureError
from .event import WebhookEvent
from .parsing import parse_event
from .signatures import AppSecrets, wrap_secrets


class Webhooks(Unpicklable):
    """The signature check and the parser for the deliveries of one or several apps.

    Source: https://partner.tiktokshop.com/docv2/page/tts-webhooks-overview
    """

    def __init__(
        self,
        app_key: str,
        app_secret: str | Sequence[str],
        *,
        other_apps: Mapping[str, str | Sequence[str]] | None = None,
        max_age: float | None = None,
        clock: TimeSource = time.time,
    ) -> None:
        """Prepare the secrets; create it once.

        Args:
            app_secret: The secret; while it is rotated, the new one and the old one.
            other_apps: The secrets of further apps with the same address, by app key.
            max_age: Seconds after which a delivery is rejected as a replay. The platform retries
                a delivery for about 16 hours: with a lower number, late retries are rejected.
            clock: A clock, or a function that returns Unix seconds. A `WebhookReceiver` uses it
                too.
        """
        others = {name: wrap_secrets(each) for name, each in (other_apps or {}).items()}
        secrets = {app_key: wrap_secrets(app_secret), **others}
        del app_secret, other_apps  # tracebacks can show local variables
        if max_age is not None and max_age <= 0:
            raise InvalidArgumentError(
                f"max_age must be positive, not {max_age!r}.", argument="max_age"
            )
        self._secrets = AppSecrets(secrets)
        self._max_age = max_age
        self.clock = clock_of(clock)

    def __repr__(self) -> str:
        if "_secrets" not in vars(self):  # in the traceback of a rejected argument
            return "<Webhooks>"
        return f"<Webhooks of {', '.join(self._secrets.app_keys)}>"

    def verify(self, body: bytes, signature: str | bytes | None) -> str:
        """Return the app key whose secret signed the body.

        Args:
            body: The request's body, byte for byte as it was received.
            signature: Its header ``Authorization``: lowercase hex without a prefix.

        Raises:
            WebhookSignatureError: The signature is missing, or matches none of the secrets.
        """
        hidden = Secret(signature)
        del signature  # tracebacks can show local variables
        return self._signer(body, hidden)

    def parse(
        self,
        body: bytes,
        *,
        id: str | None = None,  # noqa: A002
        app_key: str | None = None,
    ) -> WebhookEvent:
        """Return the event in a body without checking a signature.

        An event of an unknown type is an `UnknownEvent`. A field that is missing, null or of an
        unexpected type is None; unexpected types are listed in ``issues``.

        Args:
            id: Replaces the notification's own id.
            app_key: The app that signed the body.

        Raises:
            WebhookBodyError: The body is not a JSON object.
        """
        return parse_event(_raw(body), id=id, app_key=app_key)

    def verify_and_parse(self, body: bytes, signature: str | bytes | None) -> WebhookEvent:
        """Verify a delivery and return its event.

        Raises:
            WebhookSignatureError: The signature is missing, or matches none of the secrets.
            WebhookExpiredError: The delivery is older than ``max_age``.
            WebhookBodyError: The signature is valid, but the body is not a JSON object.
        """
        hidden = Secret(signature)
        del signature
        event = self.parse(body, app_key=self._signer(body, hidden))
        if self._max_age is not None and event.timestamp is not None:
            age = self.clock.time() - event.timestamp
            if age > self._max_age:
                raise WebhookExpiredError(
                    f"the delivery is {age:,.0f} seconds old.",
                    hint=f"The maximum is max_age={self._max_age:g}.",
                )
        return event

    def sign(self, body: bytes) -> str:
        """Return the signature that the platform would send; for tests of a receiver."""
        return self._secrets.sign(_raw(body))

    def _signer(self, body: bytes, signature: Secret) -> str:
        signer = self._secrets.signer_of(_raw(body), signature)
        if signer is not None:
            return signer
        raise WebhookSignatureError(
            "signature mismatch: the delivery's body or secret differs from what was signed."
            if signature.value
            else "the delivery has no signature.",
            hint=f"If the platform sent it, check that the secrets are those of {self._apps}, and "
            "that no proxy changes the body or drops the header Authorization.",
        )

    @property
    def _apps(self) -> str:
        return ", ".join(self._secrets.app_keys)


def _raw(body: bytes) -> bytes:
    if isinstance(body, bytes):
        return body
    if isinstance(body, (bytearray, memoryview)):
        return bytes(body)
    raise InvalidArgumentError(
        f"body must be bytes, not {type(body).__name__}: the signature covers the bytes as they "
        "were received.",
        argument="body",
        hint="Pass await request.body() in Starlette, FastAPI or Litestar, await request.read() "
        "in aiohttp, request.body in Django, request.get_data() in Flask or Quart.",
    )
