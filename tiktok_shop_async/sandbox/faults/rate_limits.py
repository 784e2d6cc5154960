"""Rate limits per app, shop and class of endpoint, and hourly quotas per app and shop."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import attrs

from ..._internal.clock import Clock, TimeSource, clock_of
from ...pipeline.admission.limiter import EndpointClass, endpoint_class
from ...pipeline.operation import Operation
from ..inputs.checks import between, check_fields, one_of
from ..inputs.json_input import shortened

HOUR = 3600
MAX_CALLS = 1_000_000
"""Maximum of a limit."""


@attrs.frozen
class Rate:
    """Calls per second, and the number of calls that can be made at once after a pause."""

    per_second: float = attrs.field(validator=between(0.001, MAX_CALLS))
    burst: int = attrs.field(default=1, validator=between(1, MAX_CALLS, whole=True))


def _rate(name: str, document: Any) -> Rate:
    check_fields({name: document}, list(EndpointClass), "rates")
    if not isinstance(document, dict) or "per_second" not in document:
        raise ValueError(
            f'rates.{name} must be a JSON object such as {{"per_second": 3, "burst": 5}}, '
            f"not {shortened(document)}"
        )
    check_fields(document, [field.name for field in attrs.fields(Rate)], f"rates.{name}")
    return Rate(**document)


def _by_class(rates: Mapping[str, Rate]) -> dict[EndpointClass, Rate]:
    if not isinstance(rates, Mapping):
        raise ValueError(f"rates must be a mapping, not {shortened(rates)}")
    check_fields(rates, list(EndpointClass), "rates")
    for name, rate in rates.items():
        if not isinstance(rate, Rate):
            raise ValueError(f"rates[{str(name)!r}] must be a Rate, not {shortened(rate)}")
    return {EndpointClass(name): rate for name, rate in rates.items()}


@attrs.frozen(kw_only=True)
class LimitSettings:
    """Settings of the limits; by default nothing is limited."""

    rates: Mapping[EndpointClass, Rate] = attrs.field(factory=dict, converter=_by_class)
    hourly_quota: int | None = attrs.field(
        default=None, validator=between(1, MAX_CALLS, whole=True, optional=True)
    )
    """Calls per app, shop and clock hour. Our choice: refused calls do not count."""
    retry_after: Literal["seconds", "date"] | None = attrs.field(
        default=None, validator=one_of(None, "seconds", "date")
    )
    """Form of the Retry-After header; None leaves it out."""

    @classmethod
    def from_json(cls, document: Any) -> LimitSettings:
        """Return the settings of a JSON object; raise `ValueError` if it is invalid."""
        if not isinstance(document, dict):
            raise ValueError(f"limits must be a JSON object, not {shortened(document)}")
        check_fields(document, [field.name for field in attrs.fields(cls)], "limits")
        rates = document.get("rates", {})
        if not isinstance(rates, dict):
            raise ValueError(f"rates must be a JSON object, not {shortened(rates)}")
        return cls(
            **{**document, "rates": {name: _rate(name, each) for name, each in rates.items()}}
        )

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` accepts."""
        return attrs.asdict(self)


@attrs.frozen
class Excess:
    """The limit that a call exceeds."""

    quota: bool
    """Whether the limit is the hourly quota, not a rate."""
    wait: int
    """Whole seconds until a call is allowed again."""


@attrs.define
class _Bucket:
    tokens: float
    filled_at: float


class Limits:
    """Rate limiter and quota of a sandbox; the settings can be changed at any time."""

    def __init__(
        self, settings: LimitSettings | None = None, *, clock: TimeSource | None = None
    ) -> None:
        self._initial = settings or LimitSettings()
        self._clock = clock and clock_of(clock)
        self.set(self._initial)

    @property
    def settings(self) -> LimitSettings:
        """The current settings."""
        return self._settings

    def set(self, settings: LimitSettings) -> None:
        """Replace the settings; all buckets are then full and all quotas unused."""
        self._settings = settings
        self._buckets: dict[tuple[str, str, EndpointClass], _Bucket] = {}
        self._calls_in_hour: dict[tuple[str, str], tuple[int, int]] = {}

    def reset(self) -> None:
        """Return to the initial settings."""
        self.set(self._initial)

    def use_clock(self, clock: Clock) -> None:
        """Use a sandbox's clock, unless one was given."""
        self._clock = self._clock or clock

    def take(self, app_key: str, shop_cipher: str, operation: Operation) -> Excess | None:
        """Count a call; return an `Excess` if it must be refused."""
        settings = self._settings
        rate = settings.rates.get(endpoint := endpoint_class(operation))
        if rate is None and settings.hourly_quota is None:
            return None
        assert self._clock is not None, "a sandbox sets its clock"
        now = self._clock.time()
        if rate is not None:
            wait = self._wait((app_key, shop_cipher, endpoint), rate, now)
            if wait > 0:
                return Excess(quota=False, wait=math.ceil(wait))
        if settings.hourly_quota is not None:
            hour, calls = self._calls_in_hour.get((app_key, shop_cipher), (0, 0))
            this_hour = int(now // HOUR)
            calls = calls if hour == this_hour else 0
            if calls >= settings.hourly_quota:
                return Excess(quota=True, wait=math.ceil((this_hour + 1) * HOUR - now))
            self._calls_in_hour[app_key, shop_cipher] = (this_hour, calls + 1)
        return None

    def _wait(self, key: tuple[str, str, EndpointClass], rate: Rate, now: float) -> float:
        """Take a token from a bucket; if it is empty, return the seconds until the next token."""
        bucket = self._buckets.setdefault(key, _Bucket(rate.burst, now))
        gained = max(0.0, now - bucket.filled_at) * rate.per_second
        bucket.tokens = min(rate.burst, bucket.tokens + gained)
        bucket.filled_at = now
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / rate.per_second
        bucket.tokens -= 1
        return 0.0
