"""One authorization: it keeps its token fresh, with one refresh for all concurrent callers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING

import attrs

from .._internal.unpicklable import Unpicklable
from ..errors import (
    AccessTokenExpiredError,
    ClientClosedError,
    InvalidArgumentError,
    StaleVersionError,
    TikTokShopError,
    TokenStoreError,
)
from .current_record import CurrentRecord
from .events import AuthorizationExpiring, RefreshFailed, logger
from .policy import RefreshPolicy
from .record import AuthorizationRecord, AuthorizedShop
from .refresher import Refresher
from .repository import AuthorizationRepository, Change
from .single_flight import SingleFlight
from .token import Token

if TYPE_CHECKING:
    from .shops import ShopDirectory

MIN_PAUSE = timedelta(seconds=60)
"""Between two early refreshes: a clock that is ahead must not cause a refresh for every call."""


class Authorization(Unpicklable):
    """The token of one seller, creator or partner, shared by all tasks of a process.

    Only the holder of the store's lock refreshes. It reads the store first, and adopts a token that
    another task or process has refreshed meanwhile. A refresh is a task of its own, so that
    cancelling a caller does not interrupt it.
    """

    def __init__(self, app_key: str, open_id: str, policy: RefreshPolicy) -> None:
        self.open_id = open_id
        self._policy = policy
        self._current = CurrentRecord(open_id, policy)
        self._repository = AuthorizationRepository(policy.store, app_key, open_id)
        self._refresher = Refresher(self._repository, policy, self._current)
        self._loading = SingleFlight()
        self._refreshing = SingleFlight()
        self._last_attempt_at: datetime | None = None

    @cached_property
    def directory(self) -> ShopDirectory:
        """The shops that the authorization covers, as far as they were requested."""
        from .shops import ShopDirectory

        return ShopDirectory(self)

    def __repr__(self) -> str:
        return f"<Authorization of {self.open_id}>"

    @property
    def token(self) -> Token | None:
        """The token in force in this process; None before the first call."""
        record = self._current.record
        return None if record is None else record.token

    @property
    def ready(self) -> bool:
        """Whether a call can be signed now without waiting."""
        return self._policy.clock.time() < self._current.fresh_until

    async def prepare(self) -> None:
        """Get an access token for the next call.

        A token that expires within the margin is replaced in the background.
        """
        record = await self._load_once()
        if record.ended is not None:  # another process may have a new one
            await self._loading.run(self._load)
            record = await self._load_once()
        if record.ended is not None:
            raise self._current.reauthorization_required(record)
        now, expires_at = self._now(), record.token.access_token_expires_at
        if now < expires_at - self._policy.margin or _is_recent(record.refreshed_at, now):
            return
        refresh = partial(self._refresh, record.token)
        if now >= expires_at:
            await self._refreshing.run(refresh)
        elif not _is_recent(self._last_attempt_at, now):
            self._refreshing.start(refresh)

    async def replace(self, rejected: Token) -> None:
        """Replace a token that the service rejected as expired."""
        for _ in range(2):  # a running refresh may have started with an earlier token
            if self._uses(rejected):
                await self._refreshing.run(partial(self._refresh, rejected))

    async def reload(self, rejected: Token) -> None:
        """Read the store again after the service rejected a token for another reason.

        Another process may have stored that the seller withdrew, or a new authorization.
        """
        if self._uses(rejected):
            try:
                await self._loading.run(self._load)
            except (TokenStoreError, InvalidArgumentError) as error:
                logger.warning("%s: reading the store again failed: %s", self.open_id, error)
                return  # the error of the service is the more useful one
        record = await self._load_once()
        if record.ended is not None:
            raise self._current.reauthorization_required(record)

    async def shops(self) -> tuple[AuthorizedShop, ...]:
        """Return the shops that this process or another one has found."""
        return (await self._load_once()).shops

    async def store_shops(self, shops: Sequence[AuthorizedShop]) -> None:
        """Store the shops that the authorization covers; on an error keep them in memory."""
        with_shops = partial(attrs.evolve, shops=tuple(shops))
        self._current.adopt(with_shops(await self._load_once()))
        try:
            for shop in shops:
                await self._policy.shop_index.link(shop.id, self.open_id)
            await self._change(with_shops)
        except TokenStoreError as error:
            logger.warning("%s: storing the shops failed: %s", self.open_id, error)

    async def start(self, token: Token) -> None:
        """Store the token of a code exchange in place of an earlier authorization."""
        record = AuthorizationRecord(token=token, refreshed_at=self._now())
        async with self._repository.lock():
            await self._repository.overwrite(record)
            self._current.adopt(record)

    async def withdraw(self, happened_at: datetime | None = None) -> None:
        """Record that the user withdrew the authorization, and emit the event once.

        A withdrawal from before the token was issued or refreshed is ignored: webhook deliveries
        are retried for hours and can be replayed.
        """
        is_new, reason = False, "The seller withdrew the authorization."

        def end(record: AuthorizationRecord) -> AuthorizationRecord:
            nonlocal is_new
            is_new = record.ended is None and not _is_before(happened_at, record.refreshed_at)
            return attrs.evolve(record, ended=reason, withdrawn=True) if is_new else record

        record = await self._change(end)
        if is_new:
            self._current.emit_end(record)

    async def emit_expiry(self, expires_at: datetime | None) -> None:
        """Emit the event that the authorization ends soon."""
        url = self._current.authorization_url(await self._load_once())
        self._current.emit(AuthorizationExpiring, expires_at=expires_at, authorization_url=url)

    async def settle(self) -> None:
        """Wait for a running refresh, and try to store a token that is not stored."""
        await self._refreshing.settle()
        await self._refresher.settle()

    async def aclose(self) -> None:
        """Wait for a running refresh, and try once more to store a token that is not stored."""
        await self._refreshing.settle()
        await self._refresher.aclose()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._policy.clock.time(), UTC)

    def _uses(self, token: Token) -> bool:
        return self.token is not None and self.token.access_token == token.access_token

    async def _load_once(self) -> AuthorizationRecord:
        if self._current.record is None:
            await self._loading.run(self._load)
        assert self._current.record is not None, "it was loaded"
        return self._current.record

    async def _load(self) -> None:
        before = self._current.record
        stored, _ = await self._repository.read()
        if self._current.record is before:  # otherwise a newer record came in meanwhile
            self._current.adopt(self._refresher.newest(stored))

    async def _change(self, change: Change) -> AuthorizationRecord:
        async with self._repository.lock():
            newest = self._refresher.newest
            stored, version = await self._repository.read()
            record = await self._repository.change(stored, version, lambda it: change(newest(it)))
            self._current.adopt(record)
        return record

    async def _refresh(self, rejected: Token) -> None:
        """Replace ``rejected`` by a token from the store or, failing that, from the service."""
        self._last_attempt_at = self._now()
        try:
            try:
                record = await self._replacement_for(rejected)
            except StaleVersionError:  # the lock was lost, and its next holder has written
                record = await self._replacement_for(rejected)
        except TikTokShopError as error:
            self._current.emit(RefreshFailed, reason=str(error))
            if isinstance(error, (TokenStoreError, InvalidArgumentError)):
                raise
            raise AccessTokenExpiredError(
                f"the access token has expired and could not be replaced: {error}",
                code=getattr(error, "code", None),
                request_id=error.request_id,
                http_status=error.http_status,
                retryable=getattr(error, "retryable", not isinstance(error, ClientClosedError)),
                hint="Nothing was processed.",
            ) from error
        if record.ended is not None:
            self._current.emit_end(record)
            raise self._current.reauthorization_required(record)

    async def _replacement_for(self, rejected: Token) -> AuthorizationRecord:
        async with self._repository.lock():
            stored, version = await self._repository.read()
            record = self._refresher.newest(stored)
            if record.ended is None and record.token.access_token == rejected.access_token:
                record = await self._refresher.refresh(record, version)
            elif record is not stored:
                self._refresher.save_later()
            self._current.adopt(record)  # perhaps one that another process has refreshed
        return record


def _is_recent(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and timedelta() <= now - moment < MIN_PAUSE


def _is_before(moment: datetime | None, other: datetime | None) -> bool:
    """Compare in whole seconds, the resolution of webhooks."""
    return moment is not None and other is not None and moment < other.replace(microsecond=0)
