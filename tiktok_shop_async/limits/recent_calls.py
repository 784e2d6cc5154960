"""A count of the calls of the last second that takes three numbers."""

from __future__ import annotations

WINDOW = 1.0
"""Seconds in which calls are counted together."""


class RecentCalls:
    """The number of calls in the current window and in the one before."""

    __slots__ = ("before", "calls", "since")

    def __init__(self) -> None:
        self.calls = 0
        self.before = 0
        """Calls in the window before this one."""
        self.since = float("-inf")
        """When the current window began."""

    def start_window(self, now: float) -> None:
        """Begin a new window; to be called when the current one is over."""
        self.before = self.calls if now - self.since < 2 * WINDOW else 0
        self.calls = 0
        self.since = now

    def per_second(self, now: float) -> float:
        """Return the larger of the last two counts."""
        if now - self.since >= 2 * WINDOW:
            return 0.0
        return float(max(self.calls, self.before))
