"""Verifies deliveries and reads them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from .._internal.secret import Secret
from .._internal.unpicklable import Unpicklable
from ..errors import InvalidArgumentError, WebhookExpiredError, WebhookSignatureError
from .event import WebhookEvent
from .parsing import parse_event
from .signatures import AppSecrets, wrapped


class Webhooks(Unpicklable):
    """Tells what the platform has sent from what anybody else may send.

    Source: https://partner.tiktokshop.com/docv2/page/tts-webhooks-overview
    """

    def __init__(
        self,
        app_key: str,
        app_secret: str | Sequence[str],
        *,
        other_apps: Mapping[str, str | Sequence[str]] | None = None,
        max_age: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make it once, and keep it.

        Args:
            app_secret: While a secret is replaced, the new one and the old one.
            other_apps: Further apps with the same address: secrets by app key.
            max_age: Seconds after which a delivery is taken for a recorded one. The platform
                repeats what was not acknowledged for about 16 hours: less turns repeats away.
            clock: Returns Unix seconds.
        """
        others = {name: wrapped(each) for name, each in (other_apps or {}).items()}
        secrets = {app_key: wrapped(app_secret), **others}
        del app_secret, other_apps  # tracebacks can show local variables
        if max_age is not None and max_age <= 0:
            raise InvalidArgumentError("max_age is not positive.", argument="max_age")
        self._secrets = AppSecrets(secrets)
        self._max_age = max_age
        self._clock = clock

    def __repr__(self) -> str:
        if "_secrets" not in vars(self):  # as tracebacks see one with a rejected argument
            return "<Webhooks>"
        return f"<Webhooks of {', '.join(self._secrets.app_keys)}>"

    def verify(self, body: bytes, signature: str | bytes | None) -> str:
        """Return the app key whose secret signed the body.

        Args:
            body: The request's body, byte for byte as it came.
            signature: Of its header ``Authorization``: lowercase hex, and nothing before it.

        Raises:
            WebhookSignatureError: None of the secrets did.
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
        """Return the event in a body, whose signature is not checked here.

        A kind that this release does not know is an `UnknownEvent`; a field that is missing, null
        or of another type is None, and the latter is listed in ``issues``.

        Args:
            id: In place of the notification's own.
            app_key: The app that signed it.

        Raises:
            WebhookBodyError: The body is no JSON object.
        """
        return parse_event(_raw(body), id=id, app_key=app_key)

    def verify_and_parse(self, body: bytes, signature: str | bytes | None) -> WebhookEvent:
        """Return the event of a delivery that the platform has sent.

        Raises:
            WebhookSignatureError: It was not signed by a secret of ours.
            WebhookExpiredError: It was, longer than ``max_age`` ago.
            WebhookBodyError: It was, and its body is no JSON object.
        """
        hidden = Secret(signature)
        del signature
        event = self.parse(body, app_key=self._signer(body, hidden))
        if self._max_age is not None and event.timestamp is not None:
            age = self._clock() - event.timestamp
            if age > self._max_age:
                raise WebhookExpiredError(
                    f"the delivery is {age:,.0f} seconds old.",
                    hint=f"max_age={self._max_age:g} allows no more.",
                )
        return event

    def sign(self, body: bytes) -> str:
        """Return the signature that the platform would send, for tests of a receiver."""
        return self._secrets.sign(_raw(body))

    def _signer(self, body: bytes, signature: Secret) -> str:
        signer = self._secrets.signer_of(_raw(body), signature)
        if signer is not None:
            return signer
        raise WebhookSignatureError(
            "signature mismatch: the delivery's body or secret differs from what was signed."
            if signature.value
            else "the delivery has no signature.",
            hint=f"If the platform sent it: are the secrets those of {self._apps}, and does "
            "anything on the way change the body or drop the header Authorization?",
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
        f"the body is a {type(body).__name__}: somebody has decoded or parsed it already, and "
        "the signature is that of its bytes.",
        argument="body",
        hint="Pass await request.body() in Starlette, FastAPI or Litestar, await request.read() "
        "in aiohttp, request.body in Django, request.get_data() in Flask or Quart.",
    )
