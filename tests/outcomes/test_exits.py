"""Every exit of the attempt loop is listed here, and has rows in the table."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

from outcomes.page import PAGE, page
from outcomes.table import TABLE, End, Meanwhile

from tiktok_shop_async.pipeline import attempts, event_emitter

EXITS: dict[str, tuple[End | Meanwhile, ...]] = {
    "start()": tuple(End),
    "self._start_attempt(attempt)": tuple(End),
    "self._prepare_credentials(cipher)": (Meanwhile.REFRESH_FAILED,),
    "self._credentials.prepare(cipher)": (Meanwhile.REFRESH_FAILED,),
    "self._credentials.renew(used, is_expired=is_expired)": (
        Meanwhile.OTHER_TOKEN,
        Meanwhile.TOKEN_REFRESHED,
        Meanwhile.REFRESH_FAILED,
        Meanwhile.DEADLINE,
        Meanwhile.CANCELLED,
        Meanwhile.CLOSED,
        Meanwhile.OTHER_TOKEN,
    ),
    "admission": (Meanwhile.DEADLINE, Meanwhile.CANCELLED, Meanwhile.CLOSED),
    "limiter.acquire(key, priority)": (Meanwhile.CLOSED,),
    "slots.acquire(key.shop, priority)": (Meanwhile.CLOSED,),
    "limiter.throttled(permit, retry_after=error.retry_after, quota=quota)": (
        Meanwhile.CALLBACK_RAISES,
    ),
    "session.retry_policy(failed)": (Meanwhile.CALLBACK_RAISES, Meanwhile.NO_RETRY_LEFT),
    "session.clock.sleep(delay)": (Meanwhile.DEADLINE, Meanwhile.CANCELLED, Meanwhile.CLOSED),
    # These pass on what the ones above raise.
    "self._run_attempts(attempt)": (),
    "self._plan_retry(error)": (),
    "self._report_throttle(error)": (),
    "self._replace_token(error)": (),
    "attempts": (),
}
"""What the loop awaits, and the function of a user that it calls: the rows that show their exits.

Errors of your own code in each of them: ``test_every_exit.py``.
"""

RAISES = {
    "raise": 6,
    "raise self._outcome_unknown(error) from error": 1,
    "raise self._outcome_unknown(self._deadline_error(deadline))": 1,
    "raise self._deadline_error(deadline)": 1,
}
"""How often the module raises what; ``raise`` alone is what is passed on."""

TREE = ast.Module(
    [
        node
        for each in (attempts, event_emitter)
        for node in ast.parse(inspect.getsource(each)).body
    ],
    [],
)
"""The loop, and what it awaits for observers."""


def exits() -> Iterator[str]:
    """Yield what is awaited in the loop, and the retry policy's call."""
    for node in ast.walk(TREE):
        if isinstance(node, ast.Await):
            yield ast.unparse(node.value)
        elif isinstance(node, ast.Call) and "retry_policy" in ast.unparse(node.func):
            yield ast.unparse(node)


def test_every_exit_has_rows() -> None:
    assert set(exits()) == set(EXITS)
    shown = {each for row in TABLE for each in (*row.ends, *row.meanwhile)}
    assert {each for rows in EXITS.values() for each in rows} <= shown


def test_the_loop_raises_only_by_its_one_question() -> None:
    found = [ast.unparse(node) for node in ast.walk(TREE) if isinstance(node, ast.Raise)]
    assert {each: found.count(each) for each in found} == RAISES


def test_all_of_the_loop_is_in_the_block_that_asks() -> None:
    """Every error of `_run_attempts` is caught there, and the attempt under way is judged first."""
    loop = next(
        node
        for node in ast.walk(TREE)
        if isinstance(node, ast.AsyncFunctionDef) and node.name == "_run_attempts"
    )
    block = loop.body[-1]
    assert isinstance(block, ast.Try)
    assert not any(
        isinstance(node, ast.Await) for each in loop.body[:-1] for node in ast.walk(each)
    )
    assert isinstance(block.handlers[0].type, ast.Name)
    assert block.handlers[0].type.id == "BaseException"
    assert ast.unparse(block.handlers[0].body[0]) == "self._record_end(error)"
    assert not block.orelse
    assert not block.finalbody


def test_the_page_shows_the_table_as_it_is() -> None:
    """Write it with ``python -m outcomes.page``."""
    assert PAGE.read_text() == page()
