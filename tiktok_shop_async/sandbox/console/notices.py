"""Results of actions, kept until the page after the redirect shows them."""

from __future__ import annotations

import secrets
from collections import OrderedDict

import attrs

from .forms import Form

MAX_NOTICES = 20


@attrs.frozen
class Notice:
    """The result of an action, shown at the form or row that it came from."""

    target: str
    """Id of the HTML element."""
    text: str
    failed: bool = False
    form: Form = attrs.field(factory=lambda: Form({}), repr=False)
    """What was entered, to be corrected where the action failed."""


NO_NOTICE = Notice("", "")


class Notices:
    """The latest notices by their key in the page's URL, so that a reload shows one again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Notice] = OrderedDict()

    def add(self, notice: Notice) -> str:
        """Keep a notice, and return its key."""
        key = secrets.token_hex(6)
        self._kept[key] = notice
        if len(self._kept) > MAX_NOTICES:
            self._kept.popitem(last=False)
        return key

    def get(self, key: str) -> Notice:
        """Return a notice, or the empty one."""
        return self._kept.get(key, NO_NOTICE)
