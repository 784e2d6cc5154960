"""The order of events in memory, against a model of a few lines."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tiktok_shop_async.webhooks import ClaimedEvent, MemoryWebhookStore, NewEvent

T = TypeVar("T")
LEASE = 10.0


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waited")


@attrs.define
class Expected:
    """An event as the model has it."""

    id: str
    object: str | None
    changed_at: int
    due: float
    is_dead: bool = False
    claim: str = ""


class Order(RuleBasedStateMachine):
    """Of each object, only the earliest event that is not dead and not handled may be claimed,
    except that one which became claimable stays so when earlier dead letters are replayed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.store = MemoryWebhookStore(clock=lambda: self.now)
        self.events: list[Expected] = []
        self.turns: dict[str, Expected] = {}
        self.handled: dict[str, int] = {}
        self.claims: list[ClaimedEvent] = []
        self.number = 0

    @rule(name=st.sampled_from([None, "a", "b"]), changed_at=st.integers(0, 5))
    def add(self, name: str | None, changed_at: int) -> None:
        self.number += 1
        id_ = str(self.number)
        new = NewEvent(id=id_, body=b"", object=name, state=name, changed_at=changed_at)
        assert run(self.store.add(new))
        self.events.append(Expected(id_, name, changed_at, self.now))
        self.pass_on()

    @rule(most=st.integers(1, 4))
    def claim(self, most: int) -> None:
        claimable = [each for each in self.events if self.may_be_claimed(each)]
        claims = run(self.store.claim(most, lease=LEASE))
        assert len(claims) == min(most, len(claimable))
        assert {each.id for each in claims} <= {each.id for each in claimable}
        for claim in claims:
            expected = self.expected(claim)
            newest = self.handled.get(expected.object or "", 0)
            assert claim.is_outdated == (
                expected.object is not None and expected.changed_at < newest
            )
            expected.claim, expected.due = claim.claim, self.now + LEASE
        self.claims += claims

    @rule(data=st.data(), how=st.sampled_from(["finish", "put back", "dead-letter"]))
    def end_claim(self, data: st.DataObject, how: str) -> None:
        if not self.claims:
            return
        claim = data.draw(st.sampled_from(self.claims))
        self.claims.remove(claim)
        expected = self.expected(claim)
        if how == "finish":
            run(self.store.finish(claim))
        elif how == "put back":
            run(self.store.put_back(claim, after=5.0))
        else:
            run(self.store.dead_letter(claim, error="dead"))
        if expected is None or expected.claim != claim.claim:
            is_waiting = expected is not None and not expected.is_dead
            if is_waiting and how == "finish" and expected.object is None:
                self.events.remove(expected)
            return
        expected.claim = ""
        if how == "finish":
            self.events.remove(expected)
            if expected.object is not None:
                newest = self.handled.get(expected.object, 0)
                self.handled[expected.object] = max(newest, expected.changed_at)
        elif how == "put back":
            expected.due = self.now + 5.0
        else:
            expected.is_dead = True
        if how != "put back" and expected.object is not None:
            del self.turns[expected.object]
        self.pass_on()

    @rule()
    def replay(self) -> None:
        dead = [each for each in self.events if each.is_dead]
        assert run(self.store.replay()) == len(dead)
        for each in dead:
            each.is_dead, each.due = False, self.now
        self.pass_on()

    @rule(seconds=st.sampled_from([1.0, 6.0, 20.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def nothing_is_lost(self) -> None:
        counts = run(self.store.counts())
        assert counts.dead == sum(each.is_dead for each in self.events)
        assert counts.waiting == len(self.events) - counts.dead

    def expected(self, claim: ClaimedEvent) -> Any:
        return next((each for each in self.events if each.id == claim.id), None)

    def may_be_claimed(self, expected: Expected) -> bool:
        is_next = expected.object is None or self.turns.get(expected.object) is expected
        return is_next and not expected.is_dead and expected.due <= self.now

    def pass_on(self) -> None:
        for each in self.events:
            if each.object is not None and not each.is_dead and each.object not in self.turns:
                self.turns[each.object] = each
                each.due = max(each.due, self.now)


Order.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestOrder = Order.TestCase
