"""Which rates a limiter begins with, and which it leaves alone."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from types import MappingProxyType

import attrs

from ..errors import InvalidArgumentError
from ..pipeline.admission.limiter import EndpointClass
from .learning import RateState, starting

STARTING_RATES: Mapping[EndpointClass, float] = MappingProxyType(
    {
        EndpointClass.HEAVY_WRITE: 0.5,
        EndpointClass.WRITE: 2.0,
        EndpointClass.READ: 5.0,
        EndpointClass.LIGHT_READ: 10.0,
    }
)
"""Calls a second of one shop that the service's guidelines advise to begin with."""


@attrs.frozen
class FixedRate:
    """Calls a second that are known, and neither fall nor rise."""

    per_second: float


def paces(
    rates: Mapping[EndpointClass, float | FixedRate] | None,
) -> dict[EndpointClass, RateState]:
    """Return what each class that is limited from its first call begins with."""
    found: dict[EndpointClass, RateState] = {}
    for name, rate in (rates or {}).items():
        fixed = isinstance(rate, FixedRate)
        per_second = rate.per_second if isinstance(rate, FixedRate) else rate
        if name not in list(EndpointClass):
            raise InvalidArgumentError(
                f"{name!r} is no class of endpoints.",
                argument="rates",
                hint=f"There are: {', '.join(EndpointClass)}.",
            )
        if not 0 < per_second < inf:
            raise InvalidArgumentError(
                f"{per_second!r} calls a second cannot be.",
                argument="rates",
                hint="Give a number above 0, or leave the class out.",
            )
        found[EndpointClass(name)] = starting(per_second, fixed=fixed)
    return found
