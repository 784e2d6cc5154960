"""Interleaved rounds, medians, and the table that comes out."""

from __future__ import annotations

import statistics
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

ROUNDS = 5

OURS = "tiktok_shop_async"
BORROWED = "tiktok_shop_async, borrowed AsyncClient"
HTTPX = "httpx"
PEER = "tiktok-shop-api"
NODE = "tiktok-shop-sdk (Node)"

Measure = Callable[[], Awaitable[float]]


@dataclass
class Goal:
    """The required ratio of two contestants."""

    contestant: str
    baseline: str
    at_most: float
    inverse: bool = False  # put as "n times faster"

    def verdict(self, figures: Mapping[str, float]) -> str | None:
        """Return the goal and how it came out; None if one of the two was left out."""
        if not {self.contestant, self.baseline} <= figures.keys():
            return None
        ratio = figures[self.contestant] / figures[self.baseline]
        names = f"{self.contestant} : {self.baseline}"
        met = "met" if ratio <= self.at_most else "**missed**"
        if self.inverse:
            return f"{names} = {1 / ratio:.2f}x faster (goal: {1 / self.at_most:.2g}x): {met}"
        return f"{names} = {ratio:.2f} (goal: at most {self.at_most:g}): {met}"


def faster(contestant: str, baseline: str, times: float) -> Goal:
    """Return the goal of being so many times as fast."""
    return Goal(contestant, baseline, 1 / times, inverse=True)


@dataclass
class Table:
    """One case: a figure for each contestant, the smaller the better."""

    title: str
    unit: str
    figures: Mapping[str, float]
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """Return it as Markdown, the first contestant being 1.00."""
        first = next(iter(self.figures.values()))
        lines = [f"### {self.title}", "", f"| | {self.unit} | relative |", "| --- | ---: | ---: |"]
        lines += [
            f"| {name} | {figure:,.4g} | {figure / first:.2f} |"
            for name, figure in self.figures.items()
        ]
        remarks = [verdict for goal in self.goals if (verdict := goal.verdict(self.figures))]
        if remarks or self.notes:
            lines += ["", *(f"- {remark}" for remark in [*remarks, *self.notes])]
        return "\n".join(lines) + "\n"


async def medians(contestants: Mapping[str, Measure], rounds: int = ROUNDS) -> dict[str, float]:
    """Measure all in turn, again and again, and return the median of each."""
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, measure in contestants.items():
            found[name].append(await measure())
    return {name: statistics.median(figures) for name, figures in found.items()}
