"""The protocol of the credentials that sign a call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol


class Credentials(Protocol):
    """The credentials of one shop, creator or partner; `AuthState` implements this."""

    @property
    def access_token(self) -> str | None:
        """The access token sent with the next attempt."""
        ...

    @property
    def shop_cipher(self) -> str | None:
        """The cipher of the shop, for the operations that take one."""
        ...

    @property
    def category_asset_cipher(self) -> str | None:
        """The cipher of a partner's category asset, for the operations that take one."""
        ...

    @property
    def renewable_token(self) -> object | None:
        """The current token if `renew` can replace it; None for a token that was set by hand."""
        ...

    def is_ready(self, cipher: str | None) -> bool:
        """Return whether a call with this cipher parameter can be signed without waiting."""
        ...

    async def prepare(self, cipher: str | None) -> None:
        """Fetch what is missing for `is_ready`: a valid token or the shop's cipher."""
        ...

    async def renew(self, rejected: Any, *, is_expired: bool) -> bool:
        """Replace the ``rejected`` token; return whether another token is in use now.

        Refresh the token if it ``is_expired``; otherwise read one that another process stored.
        """
        ...

    def rate_limit_scope(self, cipher: str | None) -> str:
        """Return the name of the shop or authorization whose calls share a rate limit."""
        ...

    def secrets(self) -> Iterator[str]:
        """Yield the values that errors and logs must not show."""
        ...
