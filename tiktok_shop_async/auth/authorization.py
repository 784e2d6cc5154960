"""One authorization: its token, kept fresh, and refreshed once however many ask."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import attrs

from .._internal.unpicklable import Unpicklable
from ..errors import (
    AccessTokenExpiredError,
    ClientClosedError,
    InvalidArgumentError,
    ReauthorizationRequiredError,
    StaleVersionError,
    TikTokShopError,
    TokenStoreError,
)
from .events import (
    AuthEvent,
    AuthorizationExpiring,
    ReauthorizationRequired,
    RefreshFailed,
    logger,
)
from .policy import RefreshPolicy
from .record import AuthorizationRecord, AuthorizedShop
from .refresher import Refresher
from .repository import AuthorizationRepository, Change
from .single_flight import SingleFlight
from .token import Token

if TYPE_CHECKING:
    from .shops import ShopDirectory

LEAST_PAUSE = timedelta(seconds=60)
"""Between two refreshes ahead of time: a clock that is ahead must not refresh for every call."""


class Authorization(Unpicklable):
    """The token of one seller, creator or partner, shared by all tasks of a process.

    Only the holder of the store's lock refreshes, and it reads the store again first: what another
    task or process refreshed meanwhile is taken over. A refresh is a task of its own, so that no
    caller's cancellation stops it half way.
    """

    def __init__(self, app_key: str, open_id: str, policy: RefreshPolicy) -> None:
        self.open_id = open_id
        self._policy = policy
        self._entry = AuthorizationRepository(policy.store, app_key, open_id)
        self._refresher = Refresher(self._entry, policy, self._adopt, self._tell)
        self._record: AuthorizationRecord | None = None
        self._ready_until = -math.inf
        self._loading = SingleFlight()
        self._renewing = SingleFlight()
        self._tried_at: datetime | None = None

    @cached_property
    def directory(self) -> ShopDirectory:
        """The shops that it covers, as far as they were asked for."""
        from .shops import ShopDirectory

        return ShopDirectory(self)

    def __repr__(self) -> str:
        return f"<Authorization of {self.open_id}>"

    @property
    def token(self) -> Token | None:
        """The token that this process knows; None before the first call."""
        return None if self._record is None else self._record.token

    @property
    def ready(self) -> bool:
        """Whether a call can go out now, with nothing to be done before."""
        return self._policy.clock.time() < self._ready_until

    async def prepare(self) -> None:
        """Have an access token for the call that is about to be made.

        One that expires within the margin is replaced in the background.
        """
        record = await self._known()
        if record.ended is not None:  # or not any more
            await self._loading.run(self._load)
            record = await self._known()
        if record.ended is not None:
            raise self._reauthorization_required(record)
        now, expires_at = self._now(), record.token.access_token_expires_at
        if now < expires_at - self._policy.margin or _is_recent(record.refreshed_at, now):
            return
        renew = partial(self._renew, record.token)
        if now >= expires_at:
            await self._renewing.run(renew)
        elif not _is_recent(self._tried_at, now):
            self._renewing.start(renew)

    async def replace(self, rejected: Token) -> None:
        """Have another token than the one whose access token the service called expired."""
        for _ in range(2):  # what is under way may have begun with the token before
            if self._has(rejected):
                await self._renewing.run(partial(self._renew, rejected))

    async def look_again(self, refused: Token) -> None:
        """Read the store after the service refused a token: it may have another one by now.

        Another process may have been told that the seller withdrew, or authorized the app again.
        """
        if self._has(refused):
            try:
                await self._loading.run(self._load)
            except (TokenStoreError, InvalidArgumentError) as error:
                logger.warning("after a refusal for %s: %s", self.open_id, error)
                return  # what the service said is the better error
        record = await self._known()
        if record.ended is not None:
            raise self._reauthorization_required(record)

    async def shops(self) -> tuple[AuthorizedShop, ...]:
        """Return the shops that were found before, by this process or by another."""
        return (await self._known()).shops

    async def remember_shops(self, shops: Sequence[AuthorizedShop]) -> None:
        """Keep the shops that it covers, and that they are its; here at least."""
        found = partial(attrs.evolve, shops=tuple(shops))
        self._adopt(found(await self._known()))
        try:
            for shop in shops:
                await self._policy.owners.link(shop.id, self.open_id)
            await self._change(found)
        except TokenStoreError as error:
            logger.warning("the shops of %s are not kept: %s", self.open_id, error)

    async def begin(self, token: Token) -> None:
        """Keep the token of a code's exchange, in place of all that was known."""
        record = AuthorizationRecord(token=token, refreshed_at=self._now())
        async with self._entry.lock():
            await self._entry.write_over(record)
            self._adopt(record)

    async def withdraw(self, happened_at: datetime | None = None) -> None:
        """Note that the user withdrew it, and tell the application once.

        What happened before the token was given or refreshed says nothing about it: deliveries of
        webhooks are repeated for hours, and can be replayed.
        """
        news, reason = False, "The seller withdrew the authorization."

        def ended(record: AuthorizationRecord) -> AuthorizationRecord:
            nonlocal news
            news = record.ended is None and not _is_before(happened_at, record.refreshed_at)
            return attrs.evolve(record, ended=reason, withdrawn=True) if news else record

        record = await self._change(ended)
        if news:
            self._tell_end(record)

    async def announce_expiry(self, expires_at: datetime | None) -> None:
        """Tell the application that it ends soon."""
        url = self._authorization_url(await self._known())
        self._tell(AuthorizationExpiring, expires_at=expires_at, authorization_url=url)

    async def settle(self) -> None:
        """Wait for a refresh that is under way, and try to save what is not."""
        await self._renewing.settle()
        await self._refresher.settle()

    async def aclose(self) -> None:
        """Wait for a refresh that is under way, and try a last time to save what is not."""
        await self._renewing.settle()
        await self._refresher.aclose()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._policy.clock.time(), UTC)

    def _has(self, token: Token) -> bool:
        return self.token is not None and self.token.access_token == token.access_token

    def _adopt(self, record: AuthorizationRecord) -> None:
        self._record = record
        self._ready_until = -math.inf
        if record.ended is None:
            until = record.token.access_token_expires_at.timestamp()
            self._ready_until = until - self._policy.margin.total_seconds()

    async def _known(self) -> AuthorizationRecord:
        if self._record is None:
            await self._loading.run(self._load)
        assert self._record is not None, "it was loaded"
        return self._record

    async def _load(self) -> None:
        before = self._record
        there, _ = await self._entry.read()
        if self._record is before:  # else what came in meanwhile is newer
            self._adopt(self._refresher.newest(there))

    async def _change(self, change: Change) -> AuthorizationRecord:
        async with self._entry.lock():
            newest = self._refresher.newest
            there, version = await self._entry.read()
            record = await self._entry.change(there, version, lambda it: change(newest(it)))
            self._adopt(record)
        return record

    async def _renew(self, rejected: Token) -> None:
        """Have another token than ``rejected``: from the store, or else from the service."""
        self._tried_at = self._now()
        try:
            try:
                record = await self._renewed(rejected)
            except StaleVersionError:  # the lock was lost, and whoever has got it went on
                record = await self._renewed(rejected)
        except TikTokShopError as error:
            self._tell(RefreshFailed, reason=str(error))
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
            self._tell_end(record)
            raise self._reauthorization_required(record)

    async def _renewed(self, rejected: Token) -> AuthorizationRecord:
        async with self._entry.lock():
            there, version = await self._entry.read()
            record = self._refresher.newest(there)
            if record.ended is None and record.token.access_token == rejected.access_token:
                record = await self._refresher.refresh(record, version)
            elif record is not there:
                self._refresher.save_later()
            self._adopt(record)  # perhaps of somebody who was faster
        return record

    def _reauthorization_required(
        self, record: AuthorizationRecord
    ) -> ReauthorizationRequiredError:
        seller = record.token.seller_name or self.open_id
        url = self._authorization_url(record)
        return ReauthorizationRequiredError(
            f"{seller} has to authorize the app again: {record.ended}",
            seller=seller,
            authorization_url=url,
            hint=f"Send {seller} to {url}" if url else None,
        )

    def _authorization_url(self, record: AuthorizationRecord) -> str | None:
        try:
            return self._policy.authorization_url(record.token)
        except Exception:  # of the application; what it is wanted for is said all the same
            logger.exception("there is no authorization_url of %s", self.open_id)
            return None

    def _tell_end(self, record: AuthorizationRecord) -> None:
        url = self._authorization_url(record)
        self._tell(ReauthorizationRequired, reason=record.ended, authorization_url=url)

    def _tell(self, kind: type[AuthEvent], **facts: Any) -> None:
        name = self._record.token.seller_name if self._record else ""
        self._policy.announcer.tell(kind(open_id=self.open_id, seller_name=name, **facts))


def _is_recent(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and timedelta() <= now - moment < LEAST_PAUSE


def _is_before(moment: datetime | None, other: datetime | None) -> bool:
    """Compare in whole seconds, as webhooks have them."""
    return moment is not None and other is not None and moment < other.replace(microsecond=0)
