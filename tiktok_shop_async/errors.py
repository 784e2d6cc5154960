"""Everything that can go wrong, as one tree.

.. code-block:: text

    TikTokShopError
    ├── InvalidArgumentError           refused before anything was sent
    ├── ClientClosedError              the client was used after it was closed, or from another loop
    ├── TikTokAPIError                 the service answered, and said no
    │   ├── AccessTokenExpiredError        105002
    │   ├── ReauthorizationRequiredError   only the seller can mend it
    │   ├── PermissionDeniedError          scope, user type, IP, inactive shop
    │   ├── SignatureError                 signature, app key or clock
    │   ├── RateLimitError                 throttled, or a quota is used up
    │   ├── InvalidRequestError            the request itself is at fault
    │   └── ServiceUnavailableError        the service failed
    ├── TransportError                 no answer
    │   ├── ConnectError                   no connection, so nothing was sent
    │   └── RequestTimeoutError            the time was up
    ├── OutcomeUnknownError            a write that may or may not have happened
    ├── ResponseDecodeError            an answer that cannot be read
    ├── AuthorizationError             an authorize page led back without a code to use
    │   ├── AuthorizationDeniedError       the user said no
    │   └── StateError                     forged, made for another browser, or used before
    │       └── StateExpiredError              the user took too long
    ├── TokenStoreError                tokens could not be read, written or locked
    │   └── StaleVersionError              somebody else wrote in between
    ├── JournalError                   a batch's journal could not be read or written
    │   └── LeaseLostError                 this process was away too long to send; nothing was
    └── WebhookError                   a delivery that is not handled
        ├── WebhookSignatureError          the service did not sign it
        ├── WebhookExpiredError            it is older than is allowed
        ├── WebhookBodyError               it is signed, and no event
        └── WebhookStoreError              the store could not be read or written
            └── WebhookStoreFullError          too many events wait in it
"""

from __future__ import annotations

from typing import Any


class TikTokShopError(Exception):
    """Root of all errors that this package raises."""

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        request_id: str | None = None,
        http_status: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.operation = operation
        """The operation as it is called: ``"order.get_order_detail"``."""
        self.request_id = request_id
        """The service's id of the call; its support asks for it."""
        self.http_status = http_status
        self.hint = hint
        """What to do next."""
        self.attempts = 1
        """How often the call was sent, or was about to be."""

    def __str__(self) -> str:
        prefix = f"{self.operation}: " if self.operation else ""
        facts = ", ".join(self._facts())
        suffix = f" ({facts})" if facts else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{prefix}{self.message}{suffix}{hint}"

    def _facts(self) -> list[str]:
        facts = [f"HTTP {self.http_status}"] if self.http_status is not None else []
        if self.request_id:
            facts.append(f"request id {self.request_id}")
        if self.attempts > 1:
            facts.append(f"{self.attempts} attempts")
        return facts

    def __reduce__(self) -> tuple[Any, ...]:
        # With keyword-only arguments an exception does not pickle by itself; process pools do it.
        return _rebuild, (type(self), self.args, self.__dict__)


class InvalidArgumentError(TikTokShopError, ValueError):
    """An argument that cannot be sent; nothing was."""

    def __init__(self, message: str, *, argument: str | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.argument = argument


class ClientClosedError(TikTokShopError, RuntimeError):
    """The client was used after it was closed, or from an event loop that is not its own."""


class TikTokAPIError(TikTokShopError):
    """The service answered and refused the call."""

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        retryable: bool = False,
        retry_after: float | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.code = code
        """The service's code; None where the answer had none, as from a proxy in between."""
        self.retryable = retryable
        """Whether the same call may succeed later without any change."""
        self.retry_after = retry_after
        """The minimum wait in seconds that the service or a limiter asks for, or None."""

    def _facts(self) -> list[str]:
        return ([f"code {self.code}"] if self.code is not None else []) + super()._facts()


class AccessTokenExpiredError(TikTokAPIError):
    """The access token has expired (105002); nothing was processed."""


class ReauthorizationRequiredError(TikTokAPIError):
    """The authorization is gone; only the seller can renew it."""

    def __init__(
        self,
        message: str,
        *,
        seller: str | None = None,
        authorization_url: str | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, **facts)
        self.seller = seller
        """Who has to authorize the app again: the name, or else the open id."""
        self.authorization_url = authorization_url
        """Where to send the seller for it."""


class PermissionDeniedError(TikTokAPIError):
    """The token is valid but not for this: a missing scope, another user type, an inactive shop."""


class SignatureError(TikTokAPIError):
    """The service could not verify who calls: signature, app key, token header or timestamp."""


class RateLimitError(TikTokAPIError):
    """The call was throttled before it was processed."""


class InvalidRequestError(TikTokAPIError):
    """The service found the request itself at fault."""


class ServiceUnavailableError(TikTokAPIError):
    """The service failed to answer properly; a read may be repeated."""


class TransportError(TikTokShopError):
    """The call got no complete answer."""

    def __init__(self, message: str, *, maybe_sent: bool = True, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.maybe_sent = maybe_sent
        """False only where surely nothing of the request reached the service."""


class ConnectError(TransportError):
    """No connection could be made, so nothing was sent."""


class RequestTimeoutError(TransportError):
    """The call took longer than its timeout."""


class OutcomeUnknownError(TikTokShopError):
    """A write that may or may not have happened; its cause is chained (``__cause__``)."""

    def __init__(self, message: str, *, idempotency_key: str | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.idempotency_key = idempotency_key
        """Sent again with it, the call happens once; None where the operation takes none."""


class ResponseDecodeError(TikTokShopError):
    """The response cannot be read: no envelope, a redirect, damaged, or too large."""

    def __init__(self, message: str, *, excerpt: str = "", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.excerpt = excerpt
        """Beginning of the body, with secrets and the values of its JSON masked."""


class AuthorizationError(TikTokShopError):
    """What an authorize page led back with is of no use; the user may begin again."""

    def __init__(self, message: str, *, state: str | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.state = state
        """As it came back, unchecked."""


class AuthorizationDeniedError(AuthorizationError):
    """The user did not authorize the app."""


class StateError(AuthorizationError):
    """A state that was not made here, or not for this browser, or that is missing."""


class StateExpiredError(StateError):
    """A state that was made too long ago."""


class TokenStoreError(TikTokShopError):
    """A token store could not be read, written or locked; its cause is chained."""


class StaleVersionError(TokenStoreError):
    """What should be replaced was replaced by somebody else in between."""

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} was written by somebody else in between.")


class JournalError(TikTokShopError):
    """The journal of a batch could not be read or written; its cause is chained."""


class LeaseLostError(JournalError):
    """A request was not sent: by now another process may be at it."""


class WebhookError(TikTokShopError):
    """A webhook delivery that is not handled, so that the service sends it again."""


class WebhookSignatureError(WebhookError):
    """A webhook delivery whose signature does not fit its body."""


class WebhookExpiredError(WebhookError):
    """A webhook delivery that is signed, and older than is allowed: perhaps a recorded one."""


class WebhookBodyError(WebhookError):
    """A webhook delivery that is signed, and whose body is no JSON object."""


class WebhookStoreError(WebhookError):
    """The store of webhook events could not be read or written; its cause is chained."""


class WebhookStoreFullError(WebhookStoreError):
    """An event was not taken: too many others wait to be handled."""


def _rebuild(
    kind: type[TikTokShopError], args: tuple[Any, ...], state: dict[str, Any]
) -> TikTokShopError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error
