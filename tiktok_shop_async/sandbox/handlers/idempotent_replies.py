"""Idempotency keys: a repeated call gets the stored response and changes nothing."""

from __future__ import annotations

import functools

from ..domain.entities.replies import Reply
from ..domain.market import Market
from ..error_responses import invalid
from .call import AdmittedCall, Data, Handler, shop_of

MAX_KEY_LENGTHS = {"query": 255, "body": 128}
"""Location of the key, which depends on the operation -> maximum length in characters."""


def idempotent(handler: Handler) -> Handler:
    """Return a handler that returns the stored response to a known idempotency key.

    Our choices: only successful responses are stored, so that a refused call can be retried with
    the same key; and a key is refused if it was used with other arguments in the same shop.
    """

    @functools.wraps(handler)
    def handle(call: AdmittedCall, market: Market) -> Data:
        location = "body" if "idempotency_key" in call.body else "query"
        key = getattr(call, location).get("idempotency_key")
        if not key:
            return handler(call, market)
        max_length = MAX_KEY_LENGTHS[location]
        if len(key) > max_length:
            raise invalid(
                f"The parameter idempotency_key must have at most {max_length} characters."
            )
        shop = shop_of(call)
        arguments = [call.version, dict(call.path_params), dict(call.body)]
        stored = shop.replies.get((call.operation.id, key))
        if stored is None:
            stored = Reply(call.operation.id, key, arguments, handler(call, market))
            shop.add_reply(stored)
        elif stored.arguments != arguments:
            raise invalid("The idempotency_key was already used with other arguments.")
        return stored.data

    return handle
