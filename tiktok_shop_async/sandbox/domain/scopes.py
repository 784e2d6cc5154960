"""Which scope an operation needs, and whose token.

The catalogue has no scopes, so a scope a group is our choice, named after the platform's own:
``seller.order.info`` opens the group ``order`` to a seller's token. Every token may use the groups
``authorization`` and ``event``.
"""

from __future__ import annotations

from functools import cache

from ...pipeline.operation import Operation
from ...registry import operations
from ...resources._groups import GROUPS
from .access_tokens import UserType

WITHOUT_SCOPE = frozenset({"authorization", "event"})
"""Groups that every token may use."""

_USER_TYPES = {"affiliate_creator": UserType.CREATOR, "affiliate_partner": UserType.PARTNER}
_PARTNERS_OWN = "authorization.get_authorized_category_assets"


def user_type_of(operation: Operation) -> UserType:
    """Return whose token an operation needs."""
    if operation.cipher == "category_asset_cipher" or operation.id == _PARTNERS_OWN:
        return UserType.PARTNER
    return _USER_TYPES.get(operation.id.partition(".")[0], UserType.SELLER)


def scope_of(operation: Operation) -> str | None:
    """Return the scope that an operation needs; None if it needs none."""
    group = operation.id.partition(".")[0]
    if group in WITHOUT_SCOPE:
        return None
    return f"{user_type_of(operation).name.lower()}.{group}.info"


@cache
def all_scopes(user_type: UserType) -> frozenset[str]:
    """Return every scope that a user can grant."""
    return frozenset(
        scope
        for group in GROUPS
        for operation in operations(group)
        if user_type_of(operation) is user_type and (scope := scope_of(operation)) is not None
    )
