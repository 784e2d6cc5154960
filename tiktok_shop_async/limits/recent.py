"""How many calls went in the last second, at the cost of three numbers."""

from __future__ import annotations

WINDOW = 1.0
"""Seconds."""


class RecentCalls:
    """Counts within whole seconds from the first call on."""

    __slots__ = ("before", "calls", "since")

    def __init__(self) -> None:
        self.calls = 0
        self.before = 0
        """In the second before this one."""
        self.since = float("-inf")

    def turn(self, now: float) -> None:
        """Begin a new second; to be called when the current one is over."""
        self.before = self.calls if now - self.since < 2 * WINDOW else 0
        self.calls = 0
        self.since = now

    def per_second(self, now: float) -> float:
        """Return the larger of the last two counts."""
        if now - self.since >= 2 * WINDOW:
            return 0.0
        return float(max(self.calls, self.before))
