"""Index of recorded calls: it takes the same ones as a comparison with all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tiktok_shop_async.testing.recording.call_index import CallIndex
from tiktok_shop_async.testing.recording.matching import Matcher

Request = dict[str, Any]

PATHS = ["/a/202309/b/1", "/a/202309/b/2", "/a/202309/b/masked-1", '/a/202309/b/{"x": 1}']
VALUES = ["1", 1, 1.0, True, None, "masked-1", "to masked-2", '{"x": 1}', ["1"], {"x": "masked-1"}]
REQUESTS = st.fixed_dictionaries(
    {
        "operation": st.sampled_from(["GET /a/202309/b/1", "POST /a", "order.get_order_detail"]),
        "method": st.sampled_from(["GET", "POST"]),
        "path": st.sampled_from(PATHS),
        "query": st.dictionaries(st.sampled_from(["ids", "note"]), st.sampled_from(VALUES)),
    },
    optional={"json": st.sampled_from(VALUES)},
)


@given(
    recorded=st.lists(REQUESTS, max_size=8),
    sent=st.lists(REQUESTS, max_size=8),
    ignored=st.sets(st.sampled_from(["ids", "path", "operation", "json", "x"])),
)
def test_the_index_takes_what_a_comparison_with_all_calls_takes(
    recorded: list[Request], sent: list[Request], ignored: set[str]
) -> None:
    matcher = Matcher(ignored)
    index = CallIndex(recorded, matcher)
    used: set[int] = set()
    for request in [*recorded, *sent]:
        matching = [at for at, each in enumerate(recorded) if matcher.matches(each, request)]
        unused = [at for at in matching if at not in used]
        expected = min(unused, key=lambda at: (recorded[at] != request, at), default=None)
        assert index.take(request) == expected
        assert index.count(request) == len(matching)
        used.add(-1 if expected is None else expected)
    assert index.unused() == [at for at in range(len(recorded)) if at not in used]


class CountingMatcher(Matcher):
    comparisons = 0

    def matches(self, recorded: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
        self.comparisons += 1
        return super().matches(recorded, sent)


def order(number: int, note: str | None = None) -> Request:
    request = {"operation": "order.x", "method": "POST", "path": f"/order/202309/{number}"}
    return {**request, "query": {}, "json": {"id": str(number), "note": note}}


def test_equal_requests_are_found_without_a_comparison() -> None:
    requests = [{**order(number), "path": "/order/202309/x"} for number in range(100)]
    matcher = CountingMatcher(())
    index = CallIndex(requests, matcher)
    assert [index.take(request) for request in reversed(requests)] == [*reversed(range(100))]
    assert matcher.comparisons == 0


def test_masked_requests_are_compared_with_those_of_their_path() -> None:
    matcher = CountingMatcher(())
    index = CallIndex([order(number, "masked-1") for number in range(100)], matcher)
    for number in reversed(range(100)):
        assert index.take(order(number, "for Ann")) == number
    assert matcher.comparisons == 100
