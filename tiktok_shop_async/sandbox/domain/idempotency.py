"""Idempotency keys: the same call again gets the first answer again, and does nothing twice."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import attrs

from ..error_responses import invalid
from ..handlers.reading import shop_of
from ..http.gateway import AdmittedCall
from .market import Market

Play = Callable[[AdmittedCall, Market], dict[str, Any]]

LONGEST_KEYS = {"query": 255, "body": 128}
"""Place of the key, which depends on the operation -> the most characters of one."""


@attrs.frozen(eq=False)
class Reply:
    """An answer that was given, and what it was given for."""

    operation: str
    key: str
    arguments: list[Any]
    data: dict[str, Any]


def idempotent(play: Play) -> Play:
    """Make a play that answers again what it answered to a key, in the same shop.

    Our choices: only what succeeded is remembered, so that a refused call can be repeated once its
    cause is gone; and a key that comes back with other arguments is refused.
    """

    @functools.wraps(play)
    def played(call: AdmittedCall, market: Market) -> dict[str, Any]:
        place = "body" if "idempotency_key" in call.body else "query"
        key = getattr(call, place).get("idempotency_key")
        if not key:
            return play(call, market)
        longest = LONGEST_KEYS[place]
        if len(key) > longest:
            raise invalid(f"The parameter idempotency_key has at most {longest} characters.")
        shop = shop_of(call)
        arguments = [call.version, dict(call.path_params), dict(call.body)]
        known = shop.replies.get((call.operation.id, key))
        if known is None:
            known = Reply(call.operation.id, key, arguments, play(call, market))
            shop.remember(known)
        elif known.arguments != arguments:
            raise invalid("The idempotency_key was used with other arguments before.")
        return known.data

    return played
