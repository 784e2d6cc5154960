"""The rates with which a limiter begins, and rates that stay fixed."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from types import MappingProxyType

import attrs

from ..errors import InvalidArgumentError
from ..pipeline.admission.limiter import EndpointClass
from .rate_state import RateState, initial_state

STARTING_RATES: Mapping[EndpointClass, float] = MappingProxyType(
    {
        EndpointClass.HEAVY_WRITE: 0.5,
        EndpointClass.WRITE: 2.0,
        EndpointClass.READ: 5.0,
        EndpointClass.LIGHT_READ: 10.0,
    }
)
"""Calls a second in one shop that the service's guidelines recommend to begin with."""


@attrs.frozen
class FixedRate:
    """A known number of calls a second that neither falls nor rises."""

    per_second: float


def initial_states(
    rates: Mapping[EndpointClass, float | FixedRate] | None,
) -> dict[EndpointClass, RateState]:
    """Return the initial state of each class that is limited from its first call on."""
    states: dict[EndpointClass, RateState] = {}
    for name, rate in (rates or {}).items():
        fixed = isinstance(rate, FixedRate)
        per_second = rate.per_second if isinstance(rate, FixedRate) else rate
        if name not in list(EndpointClass):
            raise InvalidArgumentError(
                f"unknown endpoint class {name!r} in rates.",
                argument="rates",
                hint=f"The classes are: {', '.join(EndpointClass)}.",
            )
        if not 0 < per_second < inf:
            raise InvalidArgumentError(
                f"the rate of {name} must be positive and finite, not {per_second!r}.",
                argument="rates",
                hint="Leave the class out to begin without a limit.",
            )
        states[EndpointClass(name)] = initial_state(per_second, fixed=fixed)
    return states
