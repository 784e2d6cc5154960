"""The refresh itself: one exchange with the service, and care for what comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import attrs

from ..errors import (
    ReauthorizationRequiredError,
    ResponseDecodeError,
    ServiceUnavailableError,
    TokenStoreError,
    TransportError,
)
from .entry import Entry
from .events import TokenNotStored, TokenRefreshed, logger
from .policy import RefreshPolicy
from .record import AuthorizationRecord
from .token import NotPickled, Token

PAUSES_WHEN_LOST = (1.0, 3.0)
"""Seconds before a refresh is sent again whose answer was lost."""
PAUSES_WHEN_NOT_STORED = (0.1, 0.5, 1.0, 2.0)
"""Seconds before a token is written again that the store did not take; calls wait meanwhile."""
LONGEST_PAUSE = 60.0
"""Between the attempts after that."""


@attrs.frozen
class _Unsaved:
    """A record that the store did not take, and the token that it replaces there."""

    record: AuthorizationRecord
    replaces: Token

    def is_newer_than(self, there: AuthorizationRecord) -> bool:
        """Whether the store still has what this replaces."""
        return there.token.refresh_token == self.replaces.refresh_token


class Refresher(NotPickled):
    """Refreshes one authorization, for whoever holds the lock of its entry.

    Args:
        adopt: Takes a new record into force; called before it is written, since the old pair may
            be worth nothing from then on.
        tell: Announces an event.
    """

    def __init__(
        self,
        entry: Entry,
        policy: RefreshPolicy,
        adopt: Callable[[AuthorizationRecord], None],
        tell: Callable[..., None],
    ) -> None:
        self._entry = entry
        self._policy = policy
        self._adopt = adopt
        self._tell = tell
        self._unsaved: _Unsaved | None = None
        self._saving: asyncio.Task[None] | None = None

    def newest(self, there: AuthorizationRecord) -> AuthorizationRecord:
        """Return what the store has, or what it should have by now."""
        if self._unsaved is not None and self._unsaved.is_newer_than(there):
            return self._unsaved.record
        return there

    async def refresh(self, record: AuthorizationRecord, version: int) -> AuthorizationRecord:
        """Take a record's refresh token to the service, and return the record that follows it.

        Its ``ended`` is set if the service refused the refresh token.
        """
        now, old = self._now(), record.token
        # Should this process die before the end, the next one will know why its turn fails.
        version = await self._entry.write(attrs.evolve(record, refresh_started_at=now), version)
        try:
            token = await self._exchange(old.refresh_token, begun=record.refresh_started_at)
        except ReauthorizationRequiredError as error:
            ended = attrs.evolve(record, ended=error.message, refresh_started_at=None)
            return await self._entry.write_over(ended, version, old)
        fresh = attrs.evolve(
            record, token=token.completed_by(old), refreshed_at=now, refresh_started_at=None
        )
        self._adopt(fresh)
        try:
            fresh = await self._write(fresh, version, old)
        except TokenStoreError as error:
            self._tell(TokenNotStored, reason=str(error))
            self._unsaved = _Unsaved(fresh, old)
            if self._saving is None:
                self._saving = asyncio.create_task(self._save_later())
        else:
            self._unsaved = None
            self._tell(TokenRefreshed, expires_at=fresh.token.access_token_expires_at)
        return fresh

    async def settle(self) -> None:
        """Try a last time to save what is not."""
        if self._saving is None:
            return
        self._saving.cancel()
        await asyncio.wait([self._saving])
        self._saving = None
        try:
            await self._save()
        except TokenStoreError:
            logger.exception("the newest token was never saved: only this process had it")

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._policy.clock(), UTC)

    async def _exchange(self, refresh_token: str, *, begun: datetime | None) -> Token:
        """Return the token of a refresh; one whose answer was lost is sent again.

        That does no harm: the service gives the same pair again, or refuses what it replaced.
        ``begun`` is the time of an earlier refresh whose answer was lost.
        """
        for pause in (*PAUSES_WHEN_LOST, None):
            try:
                return await self._policy.oauth.refresh(refresh_token)
            except (TransportError, ServiceUnavailableError, ResponseDecodeError):
                if pause is None:
                    raise
                begun = begun or self._now()
                await self._policy.sleep(pause)
            except ReauthorizationRequiredError as error:
                if begun is not None:
                    error.message += (
                        f" A refresh was begun at {begun:%Y-%m-%d %H:%M:%S} UTC and its answer "
                        "never got here, so the service may have replaced the tokens then."
                    )
                raise
        raise AssertionError("the last attempt returns or raises")

    async def _write(
        self, record: AuthorizationRecord, version: int, old: Token
    ) -> AuthorizationRecord:
        for pause in (*PAUSES_WHEN_NOT_STORED, None):
            try:
                return await self._entry.write_over(record, version, old)
            except TokenStoreError:
                if pause is None:
                    raise
                await self._policy.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def _save_later(self) -> None:
        """Write a token that the store did not take, as soon as it does."""
        pause = PAUSES_WHEN_NOT_STORED[-1]
        while self._unsaved is not None:
            await self._policy.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            try:
                await self._save()
            except TokenStoreError as error:
                logger.warning("a token is still not saved: %s", error)
        self._saving = None

    async def _save(self) -> None:
        async with self._entry.lock():
            there, version = await self._entry.read()
            unsaved = self._unsaved
            if unsaved is not None and unsaved.is_newer_than(there):
                there = await self._entry.write_over(unsaved.record, version, unsaved.replaces)
            self._unsaved = None
            self._adopt(there)
        self._tell(TokenRefreshed, expires_at=there.token.access_token_expires_at)
