"""The state of a limiter as users can observe it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from hashlib import sha256
from typing import TypeAlias

import attrs

from .._internal.callbacks import Callback
from ..pipeline.admission.limiter import EndpointClass, LimitKey

logger = logging.getLogger("tiktok_shop_async.limits")

MIN_RISE = 1.1
"""The factor by which a rate has to rise to be emitted again."""


@attrs.frozen
class LimitedRate:
    """The current limit of one class of endpoints in one shop; contains no secrets."""

    app_key: str
    shop: str
    """A hash, because the text that names a shop may be its cipher."""
    endpoint_class: EndpointClass
    per_second: float | None
    """Calls a second; None if nothing has been throttled."""
    held_for: float
    """Seconds for which the service asked to send nothing."""
    waiting: int
    """Calls of this process that wait for a permit."""


OnChange: TypeAlias = Callable[[LimitedRate], object]


def guarded_callback(on_change: OnChange | None) -> Callback[LimitedRate] | None:
    """Return the guarded callback of a limiter, for `Callback.call_soon`, or None."""
    return None if on_change is None else Callback(on_change, "on_change", logger, describe=str)


def shop_hash(key: LimitKey) -> str:
    """Return the name of a shop outside of the process."""
    return sha256(f"{key.app_key}\n{key.shop}".encode()).hexdigest()[:16]


def observed_rate(
    key: LimitKey, per_second: float | None, held_for: float, waiting: int
) -> LimitedRate:
    """Return the observable state of a key."""
    return LimitedRate(
        key.app_key, shop_hash(key), key.endpoint_class, per_second, max(0.0, held_for), waiting
    )
