"""Fault rules: which calls get a fault, and which kind.

`fault_delivery` and `dropped_connections` implement the kinds.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Literal

import attrs

from ...registry import did_you_mean
from ..inputs.checks import between, one_of
from ..inputs.json_input import shortened
from .fault_names import check_operation, problem_with_options


class FaultKind(StrEnum):
    """A kind of fault."""

    THROTTLED = "throttled"
    """HTTP 429 and 36009002, with a Retry-After if the rule has one; not processed."""
    QUOTA_EXHAUSTED = "quota_exhausted"
    """HTTP 429 and 36009037: the hourly quota is used up; not processed."""
    INTERNAL_ERROR = "internal_error"
    """HTTP 500 and 36009003."""
    UNAVAILABLE = "unavailable"
    """HTTP 503 without an envelope."""
    HTML_PAGE = "html_page"
    """An HTML error page, as from a proxy."""
    SLOW_HEADERS = "slow_headers"
    """The correct response, after a delay."""
    SLOW_BODY = "slow_body"
    """The correct response, with a delay before the second half of its body."""
    RESET_BEFORE = "reset_before"
    """The connection is reset; the call is not processed."""
    RESET_AFTER = "reset_after"
    """The call is processed, then the connection is reset."""
    LOST_ANSWER = "lost_answer"
    """The call is processed, then the connection is closed without a response."""
    TRUNCATED_BODY = "truncated_body"
    """The call is processed, then the connection is closed in the middle of the response."""
    NULL_DATA = "null_data"
    """The correct response with ``data: null``."""
    NUMBERS_AS_STRINGS = "numbers_as_strings"
    """The correct response with all numbers in its data as strings."""
    EXTRA_FIELDS = "extra_fields"
    """The correct response with undocumented fields in every object of its data."""


# Kinds whose calls are never processed, or as the rule says; all others are processed.
_NEVER_PROCESSED = {FaultKind.THROTTLED, FaultKind.QUOTA_EXHAUSTED, FaultKind.RESET_BEFORE}
_EITHER = {FaultKind.INTERNAL_ERROR, FaultKind.UNAVAILABLE, FaultKind.HTML_PAGE}
_WITHOUT_RESPONSE = {FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER, FaultKind.LOST_ANSWER}
_WITH_SECONDS = {FaultKind.SLOW_HEADERS, FaultKind.SLOW_BODY}

_MAX_COUNT = 2**53
_MAX_SECONDS = 100 * 365 * 24 * 3600
_count = between(1, _MAX_COUNT, whole=True, optional=True)
_seed = between(-(2**63), 2**63 - 1, whole=True)


def _kind(value: Any) -> FaultKind:
    try:
        return FaultKind(value)
    except ValueError:
        raise ValueError(
            f"kind must be one of {', '.join(FaultKind)}, not {shortened(value)}."
            f"{did_you_mean(str(value), FaultKind)}"
        ) from None


@attrs.frozen
class FaultRule:
    """A kind of fault, and the calls that get it.

    Only calls that passed the gateway's checks count and get faults, so that rules never hide an
    invalid request.
    """

    kind: FaultKind = attrs.field(converter=_kind)
    operation: str = attrs.field(default="*", kw_only=True, validator=check_operation)
    """An operation's id, or a pattern like ``order.*``."""
    nth: int | None = attrs.field(default=None, kw_only=True, validator=_count)
    """Only the n-th matching call; the first is 1."""
    every: int | None = attrs.field(default=None, kw_only=True, validator=_count)
    """Every n-th matching call."""
    probability: float = attrs.field(default=1.0, kw_only=True, validator=between(0, 1))
    times: int | None = attrs.field(default=None, kw_only=True, validator=_count)
    """Maximum number of calls that get the fault."""
    seed: int = attrs.field(default=0, kw_only=True, validator=_seed)
    """Selects, with ``probability``, which calls get the fault: the same ones in every run."""
    retry_after: int | None = attrs.field(
        default=None,
        kw_only=True,
        validator=between(0, _MAX_SECONDS, whole=True, optional=True),
    )
    """Seconds for the header Retry-After; None leaves it out."""
    retry_after_as: Literal["seconds", "date"] = attrs.field(
        default="seconds", kw_only=True, validator=one_of("seconds", "date")
    )
    seconds: float = attrs.field(default=1.0, kw_only=True, validator=between(0.001, _MAX_SECONDS))
    """Delay of the slow kinds."""
    after_processing: bool = attrs.field(default=False, kw_only=True, validator=one_of(True, False))
    """Whether a call is processed before ``internal_error``, ``unavailable`` or ``html_page``."""

    def __attrs_post_init__(self) -> None:
        if self.nth is not None and self.every is not None:
            raise ValueError("nth and every cannot be combined: give one of them")
        if self.after_processing and self.kind not in _EITHER:
            raise ValueError(
                f"after_processing must be false for {self.kind}; it can be true for "
                f"{', '.join(sorted(_EITHER))}"
            )

    @classmethod
    def from_json(cls, document: Any) -> FaultRule:
        """Return the rule of a JSON object; raise `ValueError` if it is invalid."""
        if not isinstance(document, dict):
            raise ValueError(f"a rule must be a JSON object such as {EXAMPLE}")
        if problem := problem_with_options(document, _OPTIONS):
            raise ValueError(problem)
        if "kind" not in document:
            raise ValueError(f"a rule requires a kind: one of {', '.join(FaultKind)}")
        return cls(**document)

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` accepts, without options that this kind ignores."""
        document = attrs.asdict(self)
        unused = [name for name, value in document.items() if value is None]
        if self.kind not in _WITH_SECONDS:
            unused.append("seconds")
        if self.kind not in _EITHER:
            unused.append("after_processing")
        if self.retry_after is None:
            unused.append("retry_after_as")
        for name in set(unused):
            del document[name]
        return document

    @property
    def processed(self) -> bool:
        """Whether the call is processed."""
        if self.kind in _EITHER:
            return self.after_processing
        return self.kind not in _NEVER_PROCESSED

    @property
    def has_response(self) -> bool:
        """Whether the client gets a response or a part of one."""
        return self.kind not in _WITHOUT_RESPONSE

    def matches(self, operation: str) -> bool:
        """Return whether the rule applies to an operation."""
        return fnmatchcase(operation, self.operation)


EXAMPLE = '{"kind": "throttled", "every": 10}'
"""A rule as JSON, for error messages and help."""
_OPTIONS = [field.name for field in attrs.fields(FaultRule)]


@attrs.define(eq=False)
class ActiveFault:
    """An active rule with its counts."""

    id: int
    rule: FaultRule
    seen: int = 0
    """Number of matching calls."""
    struck: int = 0
    """Number of calls that got the fault."""
    _random: random.Random = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Set the counts and the random numbers to their beginning."""
        self.seen = self.struck = 0
        self._random = random.Random(self.rule.seed)  # noqa: S311  not for security

    def count(self) -> bool:
        """Count a call, and return whether it gets the fault."""
        rule = self.rule
        self.seen += 1
        # One random number per call, so that other options do not change which calls are chosen.
        chosen = self._random.random() < rule.probability
        return (
            chosen
            and (rule.times is None or self.struck < rule.times)
            and (rule.nth is None or self.seen == rule.nth)
            and (rule.every is None or self.seen % rule.every == 0)
        )


class Faults:
    """The active fault rules, in order; the first that applies to a call decides its fault."""

    def __init__(self, rules: Iterable[FaultRule] = ()) -> None:
        if isinstance(rules, str) or not isinstance(rules, Iterable):
            raise TypeError(f"rules must be an iterable of FaultRule, not {shortened(rules)}")
        self._initial = tuple(rules)
        self._active: dict[int, ActiveFault] = {}
        self._last_id = 0
        self.reset()

    def __iter__(self) -> Iterator[ActiveFault]:
        return iter(self._active.values())

    def __len__(self) -> int:
        return len(self._active)

    def add(self, rule: FaultRule | str, **options: Any) -> ActiveFault:
        """Add a rule after the active ones: ``add("throttled", nth=2)``.

        Raises:
            TypeError: An option is unknown.
            ValueError: A kind, an operation or the value of an option is invalid.
        """
        if isinstance(rule, str):
            if problem := problem_with_options(options, _OPTIONS):
                raise TypeError(problem)
            rule = FaultRule(_kind(rule), **options)
        elif not isinstance(rule, FaultRule):
            raise TypeError(f"rule must be a FaultRule or a kind of fault, not {shortened(rule)}")
        elif options:
            raise TypeError(
                f"{', '.join(options)} would have no effect: set options in the FaultRule."
            )
        self._last_id += 1
        return self._active.setdefault(self._last_id, ActiveFault(self._last_id, rule))

    def remove(self, fault: ActiveFault | int) -> None:
        """Remove a rule, given itself or by its id; raise `KeyError` if it is not active."""
        del self._active[fault if isinstance(fault, int) else fault.id]

    def clear(self) -> None:
        """Remove all rules."""
        self._active.clear()

    def reset(self) -> None:
        """Return to the initial rules, with new counts."""
        self.clear()
        for rule in self._initial:
            self.add(rule)

    def choose(self, operation: str) -> FaultRule | None:
        """Count a call in every matching rule; return the rule that applies to it, if any."""
        active: ActiveFault | None = None
        for fault in self._active.values():
            if fault.rule.matches(operation) and fault.count() and active is None:
                active = fault
        if active is None:
            return None
        active.struck += 1
        return active.rule

    def as_json(self) -> list[Mapping[str, Any]]:
        """Return all active rules with their counts."""
        return [
            {"id": fault.id, "seen": fault.seen, "struck": fault.struck, **fault.rule.as_json()}
            for fault in self
        ]
