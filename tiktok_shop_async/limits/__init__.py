"""Rate limits: learned from throttles, for one process or shared through Redis."""

from typing import TYPE_CHECKING

from .._internal.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from ..options import Priority
    from ..pipeline.admission.limiter import EndpointClass, Limiter, LimitKey, Permit
    from .local import LearningLimiter
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
        "EndpointClass": ".pipeline.admission.limiter",
        "FixedRate": "rates",
        "LearningLimiter": "local",
        "LimitKey": ".pipeline.admission.limiter",
        "LimitedRate": "observing",
        "Limiter": ".pipeline.admission.limiter",
        "Permit": ".pipeline.admission.limiter",
        "Priority": ".options",
        "RedisLimiter": "redis",
        "STARTING_RATES": "rates",
    },
)
