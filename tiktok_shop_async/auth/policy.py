"""The settings and helpers that all authorizations of an app share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs

from .._internal.clock import Clock
from .._internal.unpicklable import Unpicklable
from .events import EventEmitter
from .shops import ShopIndex
from .stores.base import TokenStore
from .token import Token

if TYPE_CHECKING:
    from .oauth import TikTokShopOAuth

REFRESH_MARGIN = timedelta(hours=1)
"""The time before its expiry at which an access token is replaced."""


@attrs.frozen(kw_only=True, slots=False)
class RefreshPolicy(Unpicklable):
    """The settings and helpers of all authorizations of an app; see `Authorizations`."""

    oauth: TikTokShopOAuth
    store: TokenStore
    shop_index: ShopIndex
    events: EventEmitter = attrs.field(repr=False)
    authorization_url: Callable[[Token], str | None] = attrs.field(repr=False)
    margin: timedelta = REFRESH_MARGIN
    clock: Clock = attrs.field(repr=False)
