"""Rate limits: learned from throttles, for one process or shared through Redis."""

from typing import TYPE_CHECKING

from .._lazy import lazy_exports

if TYPE_CHECKING:
    from ..options import Priority
    from ..pipeline.limiter import EndpointClass, Limiter, LimitKey, Permit
    from .limiter import LearningLimiter
    from .observing import LimitedRate
    from .rates import STARTING_RATES, FixedRate
    from .redis import RedisLimiter

    __all__ = [
        "STARTING_RATES",
        "EndpointClass",
        "FixedRate",
        "LearningLimiter",
        "LimitKey",
        "LimitedRate",
        "Limiter",
        "Permit",
        "Priority",
        "RedisLimiter",
    ]

_, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "EndpointClass": ".pipeline.limiter",
        "FixedRate": "rates",
        "LearningLimiter": "limiter",
        "LimitKey": ".pipeline.limiter",
        "LimitedRate": "observing",
        "Limiter": ".pipeline.limiter",
        "Permit": ".pipeline.limiter",
        "Priority": ".options",
        "RedisLimiter": "redis",
        "STARTING_RATES": "rates",
    },
)
