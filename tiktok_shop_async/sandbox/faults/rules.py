"""Faults on demand: which call is struck, and by what.

How each kind looks to the client is told in `mishaps` and `connection`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Literal

import attrs

from ...registry import did_you_mean
from ..bounds import between, one_of
from ..json_input import shortened
from .fault_names import check_operation, problem_with_options


class FaultKind(StrEnum):
    """What can go wrong."""

    THROTTLED = "throttled"
    """HTTP 429 and 36009002, with a Retry-After if the rule has one; nothing is processed."""
    QUOTA_EXHAUSTED = "quota_exhausted"
    """HTTP 429 and 36009037: the hour's quota is used up; nothing is processed."""
    INTERNAL_ERROR = "internal_error"
    """HTTP 500 and 36009003."""
    UNAVAILABLE = "unavailable"
    """HTTP 503 without an envelope."""
    HTML_PAGE = "html_page"
    """An HTML error page, as a proxy in between sends it."""
    SLOW_HEADERS = "slow_headers"
    """The right answer, after some seconds."""
    SLOW_BODY = "slow_body"
    """The right answer, with some seconds between its headers and the second half of its body."""
    RESET_BEFORE = "reset_before"
    """The connection is reset, and nothing is processed."""
    RESET_AFTER = "reset_after"
    """The call is processed, then the connection is reset."""
    LOST_ANSWER = "lost_answer"
    """The call is processed, then the connection is closed without an answer."""
    TRUNCATED_BODY = "truncated_body"
    """The call is processed, and the connection closed in the middle of the answer."""
    NULL_DATA = "null_data"
    """The right answer, but with ``data: null``."""
    NUMBERS_AS_STRINGS = "numbers_as_strings"
    """The right answer, with each number in its data as text."""
    EXTRA_FIELDS = "extra_fields"
    """The right answer, with fields that no document mentions in each object of its data."""


# Whether the call takes effect: never, or as the rule says; with all other kinds it does.
_NEVER_PROCESSED = {FaultKind.THROTTLED, FaultKind.QUOTA_EXHAUSTED, FaultKind.RESET_BEFORE}
_EITHER = {FaultKind.INTERNAL_ERROR, FaultKind.UNAVAILABLE, FaultKind.HTML_PAGE}
_UNANSWERED = {FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER, FaultKind.LOST_ANSWER}
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
    """When to strike, and with what.

    Only calls that passed the gateway's checks are counted and struck, so that a mistake in a
    request shows whatever rules there are.
    """

    kind: FaultKind = attrs.field(converter=_kind)
    operation: str = attrs.field(default="*", kw_only=True, validator=check_operation)
    """An operation's id, or a pattern like ``order.*``."""
    nth: int | None = attrs.field(default=None, kw_only=True, validator=_count)
    """Only this one of the calls that fit ``operation``; the first is 1."""
    every: int | None = attrs.field(default=None, kw_only=True, validator=_count)
    """Each so-many-eth of them."""
    probability: float = attrs.field(default=1.0, kw_only=True, validator=between(0, 1))
    times: int | None = attrs.field(default=None, kw_only=True, validator=_count)
    """How often to strike at most."""
    seed: int = attrs.field(default=0, kw_only=True, validator=_seed)
    """Decides, with ``probability``, which calls are struck: the same ones in each run."""
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
    """How long the slow kinds take."""
    after_processing: bool = attrs.field(default=False, kw_only=True, validator=one_of(True, False))
    """Whether a call took effect before ``internal_error``, ``unavailable`` or ``html_page``."""

    def __attrs_post_init__(self) -> None:
        if self.nth is not None and self.every is not None:
            raise ValueError("a rule has nth or every, not both")
        if self.after_processing and self.kind not in _EITHER:
            raise ValueError(f"whether a call is processed is settled for {self.kind}")

    @classmethod
    def from_json(cls, document: Any) -> FaultRule:
        """Return the rule of a JSON object; `ValueError` says what is wrong with it."""
        if not isinstance(document, dict):
            raise ValueError(f"a rule must be a JSON object such as {EXAMPLE}")
        if problem := problem_with_options(document, _OPTIONS):
            raise ValueError(problem)
        if "kind" not in document:
            raise ValueError(f"a rule must have a kind: one of {', '.join(FaultKind)}")
        return cls(**document)

    def as_json(self) -> dict[str, Any]:
        """Return what `from_json` takes, without what has no part in this kind."""
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
        """Whether the call takes effect."""
        if self.kind in _EITHER:
            return self.after_processing
        return self.kind not in _NEVER_PROCESSED

    @property
    def answered(self) -> bool:
        """Whether the client gets the beginning of an answer at least."""
        return self.kind not in _UNANSWERED

    def fits(self, operation: str) -> bool:
        """Return whether the rule is about an operation."""
        return fnmatchcase(operation, self.operation)


EXAMPLE = '{"kind": "throttled", "every": 10}'
"""A rule as JSON, for errors and help."""
_OPTIONS = [field.name for field in attrs.fields(FaultRule)]


@attrs.define(eq=False)
class ActiveFault:
    """A rule in force, and what came of it so far."""

    id: int
    rule: FaultRule
    seen: int = 0
    """Calls that fit its operation."""
    struck: int = 0
    _random: random.Random = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Count from the beginning."""
        self.seen = self.struck = 0
        self._random = random.Random(self.rule.seed)  # noqa: S311  nothing is kept secret by it

    def count(self) -> bool:
        """Count one more call, and return whether it is to be struck."""
        rule = self.rule
        self.seen += 1
        # Drawn for each call, so that which ones are struck does not depend on the other settings.
        lucky = self._random.random() < rule.probability
        return (
            lucky
            and (rule.times is None or self.struck < rule.times)
            and (rule.nth is None or self.seen == rule.nth)
            and (rule.every is None or self.seen % rule.every == 0)
        )


class Faults:
    """The rules in force, in order: of those that would strike a call, the first does."""

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
        """Put a rule in force, behind those that are: ``add("throttled", nth=2)``.

        Raise `TypeError` for an unknown option, and `ValueError` for an unknown kind or operation
        and for a value that is not accepted.
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
        """Put a rule, or the one of this id, out of force; `KeyError` if it is not in force."""
        del self._active[fault if isinstance(fault, int) else fault.id]

    def clear(self) -> None:
        """Put all rules out of force."""
        self._active.clear()

    def reset(self) -> None:
        """Return to the rules of the beginning, and count from the beginning."""
        self.clear()
        for rule in self._initial:
            self.add(rule)

    def strike(self, operation: str) -> FaultRule | None:
        """Count a call with every rule about it, and return the one that strikes it, if any."""
        chosen: ActiveFault | None = None
        for fault in self._active.values():
            if fault.rule.fits(operation) and fault.count() and chosen is None:
                chosen = fault
        if chosen is None:
            return None
        chosen.struck += 1
        return chosen.rule

    def as_json(self) -> list[Mapping[str, Any]]:
        """Return all rules in force with their counts."""
        return [
            {"id": fault.id, "seen": fault.seen, "struck": fault.struck, **fault.rule.as_json()}
            for fault in self
        ]
