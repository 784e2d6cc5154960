"""The refresh itself: one exchange with the service, and care for what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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
from .events import TokenNotStored, TokenRefreshed, logger
from .policy import RefreshPolicy
from .record import AuthorizationRecord
from .repository import AuthorizationRepository
from .single_flight import SingleFlight
from .token import Token

PAUSES_WHEN_LOST = (1.0, 3.0)
"""Seconds before a refresh is sent again whose answer was lost, or that was throttled."""
LONGEST_THROTTLING = 10.0
"""Seconds that a refresh waits, at most, because the service asked for it."""
PAUSES_WHEN_NOT_STORED = (0.1, 0.5, 1.0, 2.0)
"""Seconds before a token is written again that the store did not take; calls wait meanwhile."""
LONGEST_PAUSE = 60.0
"""Between the attempts after that."""


@attrs.frozen
class _Replacement:
    """A token that the service gave, in place of the old one wherever that still is."""

    old: Token
    token: Token
    given_at: datetime

    def applied_to(self, record: AuthorizationRecord) -> AuthorizationRecord:
        """Return a record with it; one that has another token by now stays as it is.

        Somebody may have ended it for the old token, which this one has replaced.
        """
        if record.token != self.old:
            return record
        return attrs.evolve(
            record,
            token=self.token,
            refreshed_at=self.given_at,
            refresh_started_at=None,
            ended=record.ended if record.withdrawn else None,
        )


class Refresher(Unpicklable):
    """Refreshes one authorization, for whoever holds the lock of its entry.

    Args:
        adopt: Takes a new record into force; called before it is written, since the old pair may
            be worth nothing from then on.
        tell: Announces an event.
    """

    def __init__(
        self,
        entry: AuthorizationRepository,
        policy: RefreshPolicy,
        adopt: Callable[[AuthorizationRecord], None],
        tell: Callable[..., None],
    ) -> None:
        self._entry = entry
        self._policy = policy
        self._adopt = adopt
        self._tell = tell
        self._last: _Replacement | None = None
        self._is_saved = True
        self._saving = SingleFlight()

    def newest(self, there: AuthorizationRecord) -> AuthorizationRecord:
        """Return what the store has, or should have: it may have failed, or forgotten a write."""
        return there if self._last is None else self._last.applied_to(there)

    async def refresh(self, record: AuthorizationRecord, version: int) -> AuthorizationRecord:
        """Take a record's refresh token to the service, and return the record that follows it.

        Its ``ended`` is set if the service refused the refresh token.
        """
        now, old, begun = self._now(), record.token, record.refresh_started_at
        # Should this process die before the end, the next one will know why its turn fails.
        started = attrs.evolve(record, refresh_started_at=begun or now)
        version = await self._entry.write(started, version)
        try:
            token = await self._exchange(old, begun)
        except ReauthorizationRequiredError as error:
            reason = error.message

            def end(there: AuthorizationRecord) -> AuthorizationRecord:
                if there.token != old:
                    return there
                return attrs.evolve(there, ended=reason, refresh_started_at=None)

            return await self._entry.change(started, version, end)
        except RateLimitError:
            with suppress(TokenStoreError):  # it was not begun after all
                await self._entry.write(record, version)
            raise
        self._last, self._is_saved = _Replacement(old, token.completed_by(old), now), False
        fresh = self.newest(started)
        self._adopt(fresh)
        try:
            fresh = await self._write(started, version)
        except asyncio.CancelledError:  # of all tasks, as a program does that ends
            with suppress(TikTokShopError):
                await self._entry.change(started, version, self.newest)
                self._is_saved = True
            raise
        except TikTokShopError as error:
            self.save_later()
            self._tell(TokenNotStored, reason=str(error))
        else:
            self._is_saved = True
            self._tell(TokenRefreshed, expires_at=fresh.token.access_token_expires_at)
        return fresh

    def save_later(self) -> None:
        """Have the newest token written, as soon as the store takes it."""
        self._is_saved = False
        self._saving.start(self._save_later)

    async def settle(self) -> None:
        """Try to save what is not."""
        if not self._is_saved:
            try:
                await self._save()
            except TikTokShopError as error:
                logger.error("the newest token is not saved, only this process has it: %s", error)

    async def aclose(self) -> None:
        """Try a last time to save what is not."""
        await self._saving.stop()
        await self.settle()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._policy.clock.time(), UTC)

    async def _exchange(self, old: Token, begun: datetime | None) -> Token:
        """Return the token of a refresh; one whose answer was lost is sent again.

        That does no harm: the service gives the same pair again, or refuses what it replaced.
        ``begun`` is the time of an earlier refresh whose answer was lost.
        """
        for pause in (*PAUSES_WHEN_LOST, None):
            try:
                token = await self._policy.oauth.refresh(old.refresh_token)
                if old.open_id and token.open_id not in ("", old.open_id):
                    raise ResponseDecodeError(
                        "the service answered with the token of another user.",
                        operation="oauth.refresh",
                    )
                return token
            except (TransportError, ServiceUnavailableError, ResponseDecodeError) as error:
                wanted = getattr(error, "retry_after", None) or 0.0
                if pause is None or wanted > LONGEST_THROTTLING:
                    raise
                begun = begun or self._now()
                await self._policy.clock.sleep(max(pause, wanted))
            except RateLimitError as error:
                wanted = error.retry_after or 0.0
                if pause is None or wanted > LONGEST_THROTTLING:
                    raise
                await self._policy.clock.sleep(max(pause, wanted))
            except ReauthorizationRequiredError as error:
                if begun is not None:
                    error.message += (
                        f" A refresh was begun at {begun:%Y-%m-%d %H:%M:%S} UTC and its answer "
                        "never got here, so the service may have replaced the tokens then."
                    )
                raise
        raise AssertionError("the last attempt returns or raises")

    async def _write(self, started: AuthorizationRecord, version: int) -> AuthorizationRecord:
        for pause in (*PAUSES_WHEN_NOT_STORED, None):
            try:
                return await self._entry.change(started, version, self.newest)
            except TikTokShopError:
                if pause is None:
                    raise
                await self._policy.clock.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def _save_later(self) -> None:
        pause = PAUSES_WHEN_NOT_STORED[-1]
        while not self._is_saved:
            await self._policy.clock.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            try:
                await self._save()
            except TikTokShopError as error:
                logger.warning("a token is still not saved: %s", error)

    async def _save(self) -> None:
        async with self._entry.lock():
            record = await self._entry.change(*await self._entry.read(), self.newest)
            self._adopt(record)
            told, self._is_saved = self._is_saved, True
        if not told:
            self._tell(TokenRefreshed, expires_at=record.token.access_token_expires_at)
