"""The errors that this package raises, as one tree.

.. code-block:: text

    TikTokShopError
    ├── InvalidArgumentError           an argument is invalid; nothing was sent
    ├── ClientClosedError              the client is closed or belongs to another event loop
    ├── TikTokAPIError                 the service returned an error
    │   ├── AccessTokenExpiredError        the access token has expired (105002)
    │   ├── ReauthorizationRequiredError   the seller must authorize the app again
    │   ├── PermissionDeniedError          scope, user type, IP address, inactive shop
    │   ├── SignatureError                 signature, app key, token header or timestamp
    │   ├── RateLimitError                 throttled, or a quota is used up
    │   ├── InvalidRequestError            the service rejected the request itself
    │   └── ServiceUnavailableError        the service failed
    ├── TransportError                 no complete response
    │   ├── ConnectError                   no connection
    │   └── RequestTimeoutError            a timeout or deadline was exceeded
    ├── OutcomeUnknownError            a write that may or may not have taken effect
    ├── ResponseDecodeError            a response that cannot be read
    ├── AuthorizationError             the authorization page returned no usable code
    │   ├── AuthorizationDeniedError       the user denied the authorization
    │   └── StateError                     the state is missing, forged or already used
    │       └── StateExpiredError              the state has expired
    ├── TokenStoreError                tokens could not be read, written or locked
    │   └── StaleVersionError              another process replaced the stored value
    ├── JournalError                   the journal of a batch could not be read or written
    │   └── LeaseLostError                 another process may have taken over the request
    └── WebhookError                   a webhook delivery that is not handled
        ├── WebhookSignatureError          signature mismatch
        ├── WebhookExpiredError            the delivery is too old
        ├── WebhookBodyError               the body is not an event
        └── WebhookStoreError              the store could not be read or written
            └── WebhookStoreFullError          the store has reached its limit
"""

from __future__ import annotations

from typing import Any


class TikTokShopError(Exception):
    """The base of all errors that this package raises."""

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
        """The operation, such as ``"order.get_order_detail"``."""
        self.request_id = request_id
        """The service's id of the call; quote it to the service's support."""
        self.http_status = http_status
        self.hint = hint
        """A suggestion for solving the problem, or None."""
        self.attempts = 1
        """The number of attempts that were started, at least 1."""

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
        # Exceptions with keyword-only arguments cannot be pickled otherwise; process pools need it.
        return _rebuild, (type(self), self.args, self.__dict__)


class InvalidArgumentError(TikTokShopError, ValueError):
    """An argument is invalid. Raised before anything is sent; correct ``argument`` and call again.

    The exception is ``save_to``: if its path cannot be written, the call has succeeded already.
    """

    def __init__(self, message: str, *, argument: str | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.argument = argument
        """The name of the argument, or None."""


class ClientClosedError(TikTokShopError, RuntimeError):
    """The client is closed, was closed while the call waited, or belongs to another event loop.

    The call did not take effect. Create one client per event loop, and close it after its last
    call.
    """


class TikTokAPIError(TikTokShopError):
    """The service returned an error.

    The subclasses stand for the known causes; any other code raises this class itself. A write did
    not take effect: one that may have been processed raises `OutcomeUnknownError` instead. ``hint``
    suggests what to do.
    """

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
        """The service's code; None if the response has none, such as one of a proxy."""
        self.retryable = retryable
        """Whether the same call may succeed later without any change."""
        self.retry_after = retry_after
        """The minimum number of seconds to wait before a retry, or None."""

    def _facts(self) -> list[str]:
        return ([f"code {self.code}"] if self.code is not None else []) + super()._facts()


class AccessTokenExpiredError(TikTokAPIError):
    """The access token has expired (105002). The call was not processed.

    Raised for a token that cannot be refreshed, such as one that was set by hand, and for a
    refreshed token that is rejected again. Get a new one with `TikTokShopOAuth.refresh`, set
    ``client.auth.access_token`` and call again.
    """


class ReauthorizationRequiredError(TikTokAPIError):
    """The authorization is not valid any more: the seller must authorize the app again.

    Raised if the seller has revoked it, or if the refresh token has expired. The call was not
    processed.
    """

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
        """The seller who must authorize the app again: the name, or the open id."""
        self.authorization_url = authorization_url
        """The URL of the authorization page for the seller."""


class PermissionDeniedError(TikTokAPIError):
    """The token does not permit the call. The call was not processed.

    Raised for a missing scope, another user type, an IP address that is not allowed, or an inactive
    shop. ``hint`` says what to change; the seller may have to authorize the app again.
    """


class SignatureError(TikTokAPIError):
    """The service rejected the signature, app key, token header or timestamp.

    The call was not processed. Check app key, app secret, access token and clock: see ``hint``.
    """


class RateLimitError(TikTokAPIError):
    """The call was throttled, or a quota is used up. The call was not processed.

    Raised by a limiter before anything is sent, and for throttled calls once no retry is left. Call
    again after ``retry_after`` seconds if ``retryable``; otherwise when the quota is renewed.
    """


class InvalidRequestError(TikTokAPIError):
    """The service rejected the request itself. The call did not take effect.

    The message names the cause; correct the request before calling again.
    """


class ServiceUnavailableError(TikTokAPIError):
    """The service failed, or a proxy returned an error instead of the service's response.

    Raised for reads, once no retry is left; a write raises `OutcomeUnknownError`, chained from this
    error. If ``retryable``, call again later.
    """


class TransportError(TikTokShopError):
    """No complete response was received.

    Raised once no retry is left, for a read or for a write that was not sent. Call again later. A
    write that may have been processed raises `OutcomeUnknownError`, chained from this error.
    """

    def __init__(self, message: str, *, maybe_sent: bool = True, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.maybe_sent = maybe_sent
        """Whether any part of the request may have been sent; False if certainly none was."""


class ConnectError(TransportError):
    """No connection could be made, to the service or to a proxy.

    Nothing was sent, unless ``maybe_sent`` is true: some transports report a connection that was
    lost later as a connect error. Check network, proxy and certificates: see ``hint``.
    """


class RequestTimeoutError(TransportError):
    """A timeout, or the deadline of the call, was exceeded.

    ``maybe_sent`` says whether the request may have been sent. Call again with a longer ``timeout``
    or ``deadline`` if it happens often.
    """


class OutcomeUnknownError(TikTokShopError):
    """A write may or may not have taken effect: an attempt may have been processed.

    Its cause is chained (``__cause__``). With an ``idempotency_key``, call again with that key: the
    write takes effect once. Without one, read what the call should have changed before calling
    again; for cancellations, `batch.resolve_cancellation` does that.
    """

    def __init__(self, message: str, *, idempotency_key: str | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.idempotency_key = idempotency_key
        """The key to retry the call with; None if the operation takes none."""


class ResponseDecodeError(TikTokShopError):
    """The response cannot be read: it has no envelope, is a redirect, damaged or too large.

    The call may have been processed; a write raises `OutcomeUnknownError` instead. Check
    ``base_url``, proxies and ``max_response_bytes``. Also raised by `APIResponse.json` and for
    downloads without a file, after a successful call.
    """

    def __init__(self, message: str, *, excerpt: str = "", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.excerpt = excerpt
        """The beginning of the body, with secrets and the values of its JSON masked."""


class AuthorizationError(TikTokShopError):
    """The authorization page redirected back without a usable code.

    Nothing was exchanged or stored. Send the user to the authorization page again.
    """

    def __init__(self, message: str, *, state: str | None = None, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.state = state
        """The state that the page returned, not verified."""


class AuthorizationDeniedError(AuthorizationError):
    """The user denied the authorization. Nothing was exchanged; the user may start again."""


class StateError(AuthorizationError):
    """The state is missing, was not issued by this app for this browser, or was already used.

    The code was not exchanged. Start again from a new authorization URL.
    """


class StateExpiredError(StateError):
    """The state has expired. The code was not exchanged; start from a new authorization URL."""


class TokenStoreError(TikTokShopError):
    """A token store could not be read, written or locked; the cause is chained.

    A call that needed the store was not sent, and did not take effect. Check the store, and call
    again.
    """


class StaleVersionError(TokenStoreError):
    """The stored value was replaced by another process since it was read; nothing was written.

    Read the value again, and write to its new version.
    """

    def __init__(self, key: str) -> None:
        super().__init__(f"{key} was changed by another process since it was read.")


class JournalError(TikTokShopError):
    """The journal of a batch could not be read or written; the cause is chained.

    Requests whose claim could not be written were not sent. Run the batch again with the same
    journal: it continues where it stopped.
    """


class LeaseLostError(JournalError):
    """The lease of a request has expired, so another process may have taken it over.

    This process did not send the request. Let the other process finish it.
    """


class WebhookError(TikTokShopError):
    """A webhook delivery is not handled; the service delivers it again."""


class WebhookSignatureError(WebhookError):
    """Signature mismatch: the delivery was not signed with this app's secret. It is not handled.

    Check app key and app secret, and that the body is verified as the raw bytes received.
    """


class WebhookExpiredError(WebhookError):
    """The delivery is signed but older than allowed: it may be replayed. It is not handled."""


class WebhookBodyError(WebhookError):
    """The delivery is signed, but its body is not a JSON object. It is not handled."""


class WebhookStoreError(WebhookError):
    """The store of webhook events could not be read or written; the cause is chained.

    The delivery is not acknowledged, so the service delivers it again. Check the store.
    """


class WebhookStoreFullError(WebhookStoreError):
    """The store has reached its limit of unhandled events; the event was not stored.

    The service delivers it again. Run more handlers, or raise the limit.
    """


def _rebuild(
    kind: type[TikTokShopError], args: tuple[Any, ...], state: dict[str, Any]
) -> TikTokShopError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error
