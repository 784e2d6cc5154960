"""The refresh of an authorization: the exchange with the service, and storing its result."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import attrs

from .._internal.unpicklable import Unpicklable
from ..errors import (
    RateLimitError,
    ReauthorizationRequiredError,
    ResponseDecodeError,
    ServiceUnavailableError,
    TikTokShopError,
    TokenStoreError,
    TransportError,
)
from .current_record import CurrentRecord
from .events import TokenNotStored, TokenRefreshed, logger
from .policy import RefreshPolicy
from .record import AuthorizationRecord
from .repository import AuthorizationRepository
from .single_flight import SingleFlight
from .token import Token

EXCHANGE_PAUSES = (1.0, 3.0)
"""Seconds before a refresh is retried whose response was lost, or that was throttled."""
MAX_RETRY_AFTER = 10.0
"""The longest wait that the service may ask for; a refresh that must wait longer fails."""
SAVE_PAUSES = (0.1, 0.5, 1.0, 2.0)
"""Seconds before a token is written again after the store failed; calls wait meanwhile."""
MAX_SAVE_PAUSE = 60.0
"""Seconds between the later attempts, in the background."""


@attrs.frozen
class _Replacement:
    """A token from the service that replaces the old one wherever that is still stored."""

    old: Token
    token: Token
    issued_at: datetime

    def apply(self, record: AuthorizationRecord) -> AuthorizationRecord:
        """Return a record with the new token; a record with a third token is left unchanged.

        If another process has ended the authorization for the old token, it is in force again.
        """
        if record.token != self.old:
            return record
        return attrs.evolve(
            record,
            token=self.token,
            refreshed_at=self.issued_at,
            refresh_started_at=None,
            ended=record.ended if record.withdrawn else None,
        )


class Refresher(Unpicklable):
    """The refresher of one authorization; its caller holds the lock of the repository.

    A new token is in force before it is stored, since the service may reject the old one from then
    on.
    """

    def __init__(
        self, repository: AuthorizationRepository, policy: RefreshPolicy, current: CurrentRecord
    ) -> None:
        self._repository = repository
        self._policy = policy
        self._current = current
        self._last: _Replacement | None = None
        self._is_saved = True
        self._saving = SingleFlight()

    def newest(self, stored: AuthorizationRecord) -> AuthorizationRecord:
        """Return the stored record with the last token, which the store may have missed."""
        return stored if self._last is None else self._last.apply(stored)

    async def refresh(self, record: AuthorizationRecord, version: int) -> AuthorizationRecord:
        """Send the refresh token of a record to the service, and return the new record.

        Its ``ended`` is set if the service rejected the refresh token.
        """
        now, old, earlier = self._now(), record.token, record.refresh_started_at
        # If this process dies before the end, the next refresh can explain why it fails.
        started = attrs.evolve(record, refresh_started_at=earlier or now)
        version = await self._repository.write(started, version)
        try:
            token = await self._exchange(old, earlier)
        except ReauthorizationRequiredError as error:
            return await self._end(started, version, error.message)
        except RateLimitError:
            with suppress(TokenStoreError):  # the service did not process the refresh
                await self._repository.write(record, version)
            raise
        self._last, self._is_saved = _Replacement(old, token.completed_by(old), now), False
        return await self._store(started, version)

    def save_later(self) -> None:
        """Write the newest token in the background until the store accepts it."""
        self._is_saved = False
        self._saving.start(self._save_in_background)

    async def settle(self) -> None:
        """Try to store a token that is not stored."""
        if not self._is_saved:
            try:
                await self._save()
            except TikTokShopError as error:
                logger.error("the newest token is not saved, only this process has it: %s", error)

    async def aclose(self) -> None:
        """Stop the background task, and try once more to store a token that is not stored."""
        await self._saving.stop()
        await self.settle()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._policy.clock.time(), UTC)

    async def _exchange(self, old: Token, earlier: datetime | None) -> Token:
        """Return the token of a refresh; retry if its response was lost.

        A retry is safe: the service returns the same pair again, or rejects the replaced token.
        ``earlier`` is the time of an earlier refresh whose response was lost.
        """
        for pause in (*EXCHANGE_PAUSES, None):
            try:
                token = await self._policy.oauth.refresh(old.refresh_token)
                if old.open_id and token.open_id not in ("", old.open_id):
                    raise ResponseDecodeError(
                        "the service returned the token of another user.",
                        operation="oauth.refresh",
                    )
                return token
            except (TransportError, ServiceUnavailableError, ResponseDecodeError) as error:
                wait = _wait_after(error, pause)
                if wait is None:
                    raise
                earlier = earlier or self._now()
                await self._policy.clock.sleep(wait)
            except RateLimitError as error:
                wait = _wait_after(error, pause)
                if wait is None:
                    raise
                await self._policy.clock.sleep(wait)
            except ReauthorizationRequiredError as error:
                if earlier is not None:
                    error.message += (
                        f" A refresh was started at {earlier:%Y-%m-%d %H:%M:%S} UTC and its "
                        "response was lost, so the service may have replaced the tokens then."
                    )
                raise
        raise AssertionError("the last attempt returns or raises")

    async def _end(
        self, started: AuthorizationRecord, version: int, reason: str
    ) -> AuthorizationRecord:
        """Store the end of an authorization, unless another process has stored a new token."""

        def end(stored: AuthorizationRecord) -> AuthorizationRecord:
            if stored.token != started.token:
                return stored
            return attrs.evolve(stored, ended=reason, refresh_started_at=None)

        return await self._repository.change(started, version, end)

    async def _store(self, started: AuthorizationRecord, version: int) -> AuthorizationRecord:
        """Put the new token in force and store it; keep trying in the background on an error."""
        fresh = self.newest(started)
        self._current.adopt(fresh)
        try:
            fresh = await self._write(started, version)
        except asyncio.CancelledError:  # all tasks are cancelled when a program ends
            with suppress(TikTokShopError):
                await self._repository.change(started, version, self.newest)
                self._is_saved = True
            raise
        except TikTokShopError as error:
            self.save_later()
            self._current.emit(TokenNotStored, reason=str(error))
        else:
            self._is_saved = True
            self._emit_refreshed(fresh)
        return fresh

    async def _write(self, started: AuthorizationRecord, version: int) -> AuthorizationRecord:
        for pause in (*SAVE_PAUSES, None):
            try:
                return await self._repository.change(started, version, self.newest)
            except TikTokShopError:
                if pause is None:
                    raise
                await self._policy.clock.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def _save_in_background(self) -> None:
        pause = SAVE_PAUSES[-1]
        while not self._is_saved:
            await self._policy.clock.sleep(pause)
            pause = min(2 * pause, MAX_SAVE_PAUSE)
            try:
                await self._save()
            except TikTokShopError as error:
                logger.warning("a token is still not saved: %s", error)

    async def _save(self) -> None:
        async with self._repository.lock():
            record = await self._repository.change(*await self._repository.read(), self.newest)
            self._current.adopt(record)
            was_saved, self._is_saved = self._is_saved, True
        if not was_saved:
            self._emit_refreshed(record)

    def _emit_refreshed(self, record: AuthorizationRecord) -> None:
        self._current.emit(TokenRefreshed, expires_at=record.token.access_token_expires_at)


def _wait_after(error: TikTokShopError, pause: float | None) -> float | None:
    """Return the seconds until the next attempt; None after the last one or for a long wait."""
    retry_after: float = getattr(error, "retry_after", None) or 0.0
    if pause is None or retry_after > MAX_RETRY_AFTER:
        return None
    return max(pause, retry_after)
