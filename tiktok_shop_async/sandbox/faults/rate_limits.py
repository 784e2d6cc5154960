"""Rate limits per app, shop and class of endpoint, and the hourly quota of development shops."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import attrs

from ...pipeline.admission.limiter import EndpointClass, endpoint_class
from ...pipeline.operation import Operation
from ..bounds import between, one_of
from ..control.control_input import check_fields
from ..json_input import shortened

HOUR = 3600
MAX_CALLS = 1_000_000
"""Highest number of a limit."""


@attrs.frozen
class Rate:
    """How many calls a second, and how many at once after a pause."""

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
    """What is limited; nothing by default."""

    rates: Mapping[EndpointClass, Rate] = attrs.field(factory=dict, converter=_by_class)
    hourly_quota: int | None = attrs.field(
        default=None, validator=between(1, MAX_CALLS, whole=True, optional=True)
    )
    """Calls of an app in a shop within an hour of the clock; our choice: refused ones are free."""
    retry_after: Literal["seconds", "date"] | None = attrs.field(
        default=None, validator=one_of(None, "seconds", "date")
    )
    """How a throttled client is told when to come back; by default it is not."""

    @classmethod
    def from_json(cls, document: Any) -> LimitSettings:
        """Return the settings of a JSON object; `ValueError` says what is wrong with it."""
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
        """Return what `from_json` takes."""
        return attrs.asdict(self)


@attrs.frozen
class Excess:
    """A call too many."""

    quota: bool
    """Whether it is the hour's quota that is used up."""
    wait: int
    """Whole seconds until a call will be let through again."""


@attrs.define
class _Bucket:
    tokens: float
    filled_at: float


class Limits:
    """Counts calls against settings that can be changed at any time."""

    def __init__(
        self, settings: LimitSettings | None = None, *, clock: Callable[[], float] | None = None
    ) -> None:
        self._initial = settings or LimitSettings()
        self._clock = clock
        self.set(self._initial)

    @property
    def settings(self) -> LimitSettings:
        """What is limited now."""
        return self._settings

    def set(self, settings: LimitSettings) -> None:
        """Limit this from now on, with full buckets and an untouched quota."""
        self._settings = settings
        self._buckets: dict[tuple[str, str, EndpointClass], _Bucket] = {}
        self._calls_in_hour: dict[tuple[str, str], tuple[int, int]] = {}

    def reset(self) -> None:
        """Return to the settings of the beginning."""
        self.set(self._initial)

    def use_clock(self, clock: Callable[[], float]) -> None:
        """Take a sandbox's time, unless a clock of its own was given."""
        self._clock = self._clock or clock

    def take(self, app_key: str, shop_cipher: str, operation: Operation) -> Excess | None:
        """Count a call; an `Excess` means that it is refused."""
        settings = self._settings
        rate = settings.rates.get(kind := endpoint_class(operation))
        if rate is None and settings.hourly_quota is None:
            return None
        assert self._clock is not None, "a sandbox gives its clock"
        now = self._clock()
        if rate is not None:
            wait = self._wait((app_key, shop_cipher, kind), rate, now)
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
        """Take a token out of a bucket; return the seconds to the next one if it is empty."""
        bucket = self._buckets.setdefault(key, _Bucket(rate.burst, now))
        gained = max(0.0, now - bucket.filled_at) * rate.per_second
        bucket.tokens = min(rate.burst, bucket.tokens + gained)
        bucket.filled_at = now
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / rate.per_second
        bucket.tokens -= 1
        return 0.0
