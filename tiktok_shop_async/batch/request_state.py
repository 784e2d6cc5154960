"""The state of one request of a batch: its arguments, its attempts and its outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import uuid4

import attrs

from .._internal.clock import Clock, SystemClock
from ..errors import InvalidArgumentError, TikTokShopError
from ..options import RequestOptions
from ..pipeline.arguments.idempotency import NAME as KEY_ARGUMENT
from ..pipeline.arguments.idempotency import choose_key, collect_keys, drop_extra_key
from ..registry import operation_of
from ..response import APIResponse
from .journal.base import Record
from .outcome import FAILED, SUCCEEDED, UNKNOWN, Outcome, facts_of

T = TypeVar("T")

Request: TypeAlias = Mapping[str, Any]


@attrs.frozen(kw_only=True)
class CallTraits:
    """The properties of a batch's call that decide how it is sent and whether it is retried."""

    is_method: bool
    """True for a method of a resource, which reports when it sends."""
    is_read: bool
    takes_key: bool
    """True if it is sent with an idempotency key."""
    clock: Clock = attrs.field(factory=SystemClock)

    @classmethod
    def of(cls, call: Callable[..., Awaitable[Any]]) -> CallTraits:
        """Return the traits of a method of a resource or of another function."""
        operation = operation_of(call)
        return cls(
            is_method=operation is not None,
            is_read=operation is not None and operation.effect == "read",
            takes_key=operation is not None and operation.idempotency_key is not None,
        )


class RequestState(Generic[T]):
    """The state of one request: its arguments, its attempts and whether it may have taken effect.

    ``check`` raises `LeaseLostError` unless the claim of the request certainly holds.
    """

    def __init__(
        self,
        index: int,
        key: str | None,
        request: Request,
        check: Callable[[], None],
        traits: CallTraits,
    ) -> None:
        self.request = self._arguments = request
        self.check = check
        self.is_repeatable = traits.is_read or traits.takes_key
        """True if it can be sent again after an unknown outcome: a read, or with the same key."""
        self.maybe_sent = False
        """True if it may have taken effect, in this run or an earlier one."""
        self.is_final = False
        """True if a later run could neither learn nor do anything more."""
        self.sends = 0
        self.attempts = 0
        """The number of attempts in all these sends."""
        self._is_read = traits.is_read
        self._index = index
        self._key = key
        self._clock = traits.clock
        self._started_at = self._clock.monotonic()

    # Sending -------------------------------------------------------------------------------

    def use_key(self, idempotency_key: str) -> None:
        """Use this idempotency key instead of any key in the request."""
        options = self.request.get("options") or RequestOptions()
        if not isinstance(options, RequestOptions):
            return  # the call rejects them
        options = attrs.evolve(drop_extra_key(options), idempotency_key=idempotency_key)
        self._arguments = {**self.request, "options": options}
        if KEY_ARGUMENT in self.request:
            self._arguments[KEY_ARGUMENT] = idempotency_key

    def method_arguments(self) -> Request:
        """Return the arguments for a method of a resource, which reports when it sends."""
        options = self._arguments.get("options") or RequestOptions()
        return self._with_hook(self._before_sending, options)

    def function_arguments(self) -> Request:
        """Return the arguments for another function, which may take no options."""
        return self._with_hook(self.check, self._arguments.get("options"))

    def _with_hook(self, before_sending: Callable[[], None], options: Any) -> Request:
        if not isinstance(options, RequestOptions):
            return self._arguments
        users_hook = options.before_sending

        def both() -> None:
            if users_hook is not None:
                users_hook()
            before_sending()

        return {**self._arguments, "options": attrs.evolve(options, before_sending=both)}

    def _before_sending(self) -> None:
        """Check the claim, and record that the request may take effect from now on."""
        self.check()
        self.maybe_sent = not self._is_read

    # Outcomes ---------------------------------------------------------------------------

    def succeeded(self, response: T) -> Outcome[T]:
        """Return the outcome of a call that returned."""
        self.attempts += getattr(response, "attempts", 1)
        # A function that is not a method of a resource may return anything.
        facts = facts_of(response) if isinstance(response, APIResponse) else {}
        return self.outcome(SUCCEEDED, response=response, **facts)

    def failed(self, error: TikTokShopError) -> Outcome[T]:
        """Return the outcome of a call that had no effect."""
        return self.outcome(FAILED, error=error, **facts_of(error))

    def unknown(self, error: TikTokShopError) -> Outcome[T]:
        """Return the outcome of a call that may have taken effect."""
        return self.outcome(UNKNOWN, error=error, **facts_of(error))

    def resumed(self, record: Record) -> Outcome[T]:
        """Return the outcome that the journal has."""
        self.attempts = record.attempts
        return self.outcome(record.status, resumed=True, **facts_of(record))

    def outcome(self, status: str, **facts: Any) -> Outcome[T]:
        """Return an outcome with the fields that all outcomes of this request share."""
        return Outcome(
            index=self._index,
            key=self._key,
            request=self.request,
            status=status,
            attempts=self.attempts,
            elapsed=self._clock.monotonic() - self._started_at,
            **facts,
        )


def get_or_create_key(request: Request) -> str | None:
    """Return the idempotency key in a request, or a new one if it has none.

    None for a key that is not valid: the call rejects it.
    """
    options = request.get("options")
    given = collect_keys(request, options if isinstance(options, RequestOptions) else None)
    try:
        return choose_key(given) or uuid4().hex
    except InvalidArgumentError:
        return None
