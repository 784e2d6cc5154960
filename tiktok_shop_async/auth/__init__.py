"""Authorization: access tokens and ciphers, OAuth, refreshes and token stores."""

from typing import TYPE_CHECKING

from .._internal.lazy_exports import lazy_exports
from .state import AuthState

if TYPE_CHECKING:
    from .authorizations import Authorizations
    from .events import (
        AuthEvent,
        AuthorizationExpiring,
        ReauthorizationRequired,
        RefreshFailed,
        TokenNotStored,
        TokenRefreshed,
    )
    from .oauth import TikTokShopOAuth
    from .record import AuthorizedShop
    from .stores import MemoryTokenStore, StoredValue, TokenStore
    from .stores.encrypted import EncryptedTokenStore
    from .stores.redis import RedisTokenStore
    from .stores.sql import SQLTokenStore
    from .token import Token, UserType
    from .web.redirect import AuthorizationResponse, parse_redirect
    from .web.state_signer import StateSigner

    __all__ = [
        "AuthEvent",
        "AuthState",
        "AuthorizationExpiring",
        "AuthorizationResponse",
        "Authorizations",
        "AuthorizedShop",
        "EncryptedTokenStore",
        "MemoryTokenStore",
        "ReauthorizationRequired",
        "RedisTokenStore",
        "RefreshFailed",
        "SQLTokenStore",
        "StateSigner",
        "StoredValue",
        "TikTokShopOAuth",
        "Token",
        "TokenNotStored",
        "TokenRefreshed",
        "TokenStore",
        "UserType",
        "parse_redirect",
    ]

_, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "AuthEvent": "events",
        "AuthState": "state",
        "AuthorizationExpiring": "events",
        "AuthorizationResponse": "web.redirect",
        "Authorizations": "authorizations",
        "AuthorizedShop": "record",
        "EncryptedTokenStore": "stores.encrypted",
        "MemoryTokenStore": "stores",
        "ReauthorizationRequired": "events",
        "RedisTokenStore": "stores.redis",
        "RefreshFailed": "events",
        "SQLTokenStore": "stores.sql",
        "StateSigner": "web.state_signer",
        "StoredValue": "stores",
        "TikTokShopOAuth": "oauth",
        "Token": "token",
        "TokenNotStored": "events",
        "TokenRefreshed": "events",
        "TokenStore": "stores",
        "UserType": "token",
        "parse_redirect": "web.redirect",
    },
)
