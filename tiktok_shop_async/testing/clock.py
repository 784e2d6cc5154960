"""Time that a test moves."""

from __future__ import annotations

import time


class Clock:
    """Runs with the real time, ahead of it or behind by what it was moved; gives Unix seconds.

    Hand the same one to a client (``clock=``) and to the shop that it talks to.
    """

    def __init__(self) -> None:
        self._offset = 0.0

    def __call__(self) -> float:
        """Return the time it is now."""
        return time.time() + self._offset

    def move(self, seconds: float) -> None:
        """Let time pass at once."""
        self._offset += seconds
