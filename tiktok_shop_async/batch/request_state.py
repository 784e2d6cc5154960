"""One request of a batch: how it is sent, and what is known of it so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import uuid4

import attrs

from ..errors import InvalidArgumentError, TikTokShopError
from ..options import RequestOptions
from ..pipeline.arguments.idempotency import NAME as KEY_ARGUMENT
from ..pipeline.arguments.idempotency import choose_key, collect_keys, drop_extra_key
from ..response import APIResponse
from .journal.base import Record
from .outcome import FAILED, SUCCEEDED, UNKNOWN, Outcome, facts_of

T = TypeVar("T")

Request: TypeAlias = Mapping[str, Any]


class RequestState(Generic[T]):
    """One request of a batch: how it is sent, and what is known of it so far."""

    def __init__(
        self,
        index: int,
        key: str | None,
        request: Request,
        check: Callable[[], None],
        *,
        is_read: bool,
        takes_key: bool,
    ) -> None:
        """Make the state.

        Args:
            check: Raises `LeaseLostError` unless the claim of the request surely holds.
            is_read: Whether it changes nothing.
            takes_key: Whether it is sent with an idempotency key.
        """
        self.request = self._arguments = request
        self.check = check
        self.may_repeat = is_read or takes_key
        """Whether it can be sent again with an unknown outcome: a read, or with the same key."""
        self.maybe_sent = False
        """Whether it may have taken effect, now or in an earlier run."""
        self.is_final = False
        """Whether a later run could not learn or do anything more."""
        self.sends = 0
        self.attempts = 0
        """How often it was sent in all these sends, or was about to be."""
        self._is_read = is_read
        self._index = index
        self._key = key
        self._began = time.monotonic()

    # Sending -------------------------------------------------------------------------------

    def use(self, idempotency_key: str) -> None:
        """Send it with this idempotency key instead of any key in the request."""
        options = self.request.get("options") or RequestOptions()
        if not isinstance(options, RequestOptions):
            return  # the call rejects them
        options = attrs.evolve(drop_extra_key(options), idempotency_key=idempotency_key)
        self._arguments = {**self.request, "options": options}
        if KEY_ARGUMENT in self.request:
            self._arguments[KEY_ARGUMENT] = idempotency_key

    def arguments_of_method(self) -> Request:
        """Return the arguments for a method of a resource, which notes when it is sent."""
        return self._with(self._before_sending, self._arguments.get("options") or RequestOptions())

    def arguments_of_function(self) -> Request:
        """Return the arguments for another function, which may take no options."""
        return self._with(self.check, self._arguments.get("options"))

    def _with(self, before_sending: Callable[[], None], options: Any) -> Request:
        if not isinstance(options, RequestOptions):
            return self._arguments
        own = options.before_sending

        def both() -> None:
            if own is not None:
                own()
            before_sending()

        return {**self._arguments, "options": attrs.evolve(options, before_sending=both)}

    def _before_sending(self) -> None:
        """Note that it is sent now, and so may take effect; not without its claim."""
        self.check()
        self.maybe_sent = not self._is_read

    # Outcomes ---------------------------------------------------------------------------

    def succeeded(self, response: T) -> Outcome[T]:
        """Return the outcome of a call that returned."""
        self.attempts += getattr(response, "attempts", 1)
        # Another function than the service's may return anything.
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
        """Return an outcome with the facts that all outcomes have."""
        return Outcome(
            index=self._index,
            key=self._key,
            request=self.request,
            status=status,
            attempts=self.attempts,
            elapsed=time.monotonic() - self._began,
            **facts,
        )


def proposed_key(request: Request) -> str | None:
    """Return the idempotency key that the user chose, or a new one if they chose none.

    None for keys that are not valid: the call rejects them.
    """
    options = request.get("options")
    given = collect_keys(request, options if isinstance(options, RequestOptions) else None)
    try:
        return choose_key(given) or uuid4().hex
    except InvalidArgumentError:
        return None
