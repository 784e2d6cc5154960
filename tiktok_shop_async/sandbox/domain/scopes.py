"""Scopes and user types that operations require.

The catalogue has no scopes. Our choice is one scope for each group, named like the platform's:
``seller.order.info`` lets a seller's token call the group ``order``. Every token can call the
groups ``authorization`` and ``event``.
"""

from __future__ import annotations

from functools import cache

from ...pipeline.operation import Operation
from ..inputs.catalogue import all_operations
from .access_tokens import UserType

WITHOUT_SCOPE = frozenset({"authorization", "event"})
"""Groups that every token can call."""

_USER_TYPES = {"affiliate_creator": UserType.CREATOR, "affiliate_partner": UserType.PARTNER}
_PARTNER_OPERATION = "authorization.get_authorized_category_assets"


def user_type_of(operation: Operation) -> UserType:
    """Return the type of user whose token an operation requires."""
    if operation.cipher == "category_asset_cipher" or operation.id == _PARTNER_OPERATION:
        return UserType.PARTNER
    return _USER_TYPES.get(operation.id.partition(".")[0], UserType.SELLER)


def scope_of(operation: Operation) -> str | None:
    """Return the scope that an operation requires; None if it requires none."""
    group = operation.id.partition(".")[0]
    if group in WITHOUT_SCOPE:
        return None
    return f"{user_type_of(operation).name.lower()}.{group}.info"


@cache
def all_scopes(user_type: UserType) -> frozenset[str]:
    """Return all scopes that a type of user can grant."""
    return frozenset(
        scope
        for operation in all_operations()
        if user_type_of(operation) is user_type and (scope := scope_of(operation)) is not None
    )
