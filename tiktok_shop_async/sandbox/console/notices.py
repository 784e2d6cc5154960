"""Results of actions, shown by the page after the redirect."""

from __future__ import annotations

import secrets
from collections import OrderedDict

import attrs

from .forms import Form

MAX_NOTICES = 20


@attrs.frozen
class Notice:
    """The result of an action, shown next to its form or row."""

    target: str
    """Id of the HTML element."""
    text: str
    failed: bool = False
    form: Form = attrs.field(factory=lambda: Form({}), repr=False)
    """The submitted form, shown again if the action failed."""


NO_NOTICE = Notice("", "")


class Notices:
    """The latest notices, by the key in the page's URL, so that a reload shows them again."""

    def __init__(self) -> None:
        self._by_key: OrderedDict[str, Notice] = OrderedDict()

    def add(self, notice: Notice) -> str:
        """Store a notice and return its key."""
        key = secrets.token_hex(6)
        self._by_key[key] = notice
        if len(self._by_key) > MAX_NOTICES:
            self._by_key.popitem(last=False)
        return key

    def get(self, key: str) -> Notice:
        """Return a notice; an empty one if the key is unknown."""
        return self._by_key.get(key, NO_NOTICE)
