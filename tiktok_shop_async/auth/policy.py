"""How the tokens of an app are kept fresh: what its authorizations share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs

from .._internal.clock import Clock
from .._internal.unpicklable import Unpicklable
from .events import Announcer
from .owners import ShopOwners
from .stores.base import TokenStore
from .token import Token

if TYPE_CHECKING:
    from .oauth import TikTokShopOAuth

REFRESH_MARGIN = timedelta(hours=1)
"""How long before its expiry an access token is replaced."""


@attrs.frozen(kw_only=True, slots=False)
class RefreshPolicy(Unpicklable):
    """One for all authorizations of an app; see `Authorizations` for what may be chosen."""

    oauth: TikTokShopOAuth
    store: TokenStore
    owners: ShopOwners
    announcer: Announcer = attrs.field(repr=False)
    authorization_url: Callable[[Token], str | None] = attrs.field(repr=False)
    margin: timedelta = REFRESH_MARGIN
    clock: Clock = attrs.field(repr=False)
