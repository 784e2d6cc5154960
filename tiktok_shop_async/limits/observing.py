"""What a limiter lets people see."""

from __future__ import annotations

import logging
from collections.abc import Callable
from hashlib import sha256
from typing import TypeAlias

import attrs

from .._internal.callbacks import Callback
from ..pipeline.admission.limiter import EndpointClass, LimitKey

logger = logging.getLogger("tiktok_shop_async.limits")

NOTICEABLE = 1.1
"""Times by which a rate has to rise to be told."""


@attrs.frozen
class LimitedRate:
    """What one class of endpoints in one shop is limited to; it holds no secrets."""

    app_key: str
    shop: str
    """A hash: what names a shop may be its cipher."""
    endpoint_class: EndpointClass
    per_second: float | None
    """None as long as nothing was throttled."""
    held_for: float
    """Seconds until the next call may go at the earliest, as the service asked."""
    waiting: int
    """Calls that wait for their turn in this process."""


OnChange: TypeAlias = Callable[[LimitedRate], object]


def guarded(on_change: OnChange | None) -> Callback[LimitedRate] | None:
    """Return the guarded callback of a limiter, for `Callback.call_soon`, or None."""
    return None if on_change is None else Callback(on_change, "on_change", logger, describe=str)


def shop_hash(key: LimitKey) -> str:
    """Return what a shop is called outside of the process."""
    return sha256(f"{key.app_key}\n{key.shop}".encode()).hexdigest()[:16]


def rate_of(key: LimitKey, per_second: float | None, held_for: float, waiting: int) -> LimitedRate:
    """Return what may be seen of a key."""
    return LimitedRate(
        key.app_key, shop_hash(key), key.endpoint_class, per_second, max(0.0, held_for), waiting
    )
