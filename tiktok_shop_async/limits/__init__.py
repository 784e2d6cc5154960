"""Rate limits: learned from throttles, for one process or shared through Redis."""

from typing import TYPE_CHECKING

from .._internal.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from ..options import Priority
    from ..pipeline.admission.limiter import EndpointClass, Limiter, LimitKey, Permit
    from .limited_rate import LimitedRate
    from .local import LearningLimiter
    from .rates import STARTING_RATES, FixedRate
    from .shared.redis import RedisLimiter

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
        "LimitedRate": "limited_rate",
        "Limiter": ".pipeline.admission.limiter",
        "Permit": ".pipeline.admission.limiter",
        "Priority": ".options",
        "RedisLimiter": "shared.redis",
        "STARTING_RATES": "rates",
    },
)
