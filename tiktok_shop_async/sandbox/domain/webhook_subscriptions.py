"""Webhook subscriptions of apps to shops."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs
from cattrs import Converter

from .shop_events import ignore


@attrs.frozen(kw_only=True)
class Subscription:
    """A subscription to one type of event."""

    event_type: str
    address: str
    create_time: int
    update_time: int
    """In milliseconds, as in the event API."""


class Subscriptions:
    """The subscriptions of all apps and shops."""

    def __init__(self) -> None:
        self.on_modified: Callable[[Subscriptions], object] = ignore
        """Called after every change."""
        self._of: dict[tuple[str, str], dict[str, Subscription]] = defaultdict(dict)

    def __bool__(self) -> bool:
        return any(self._of.values())

    def __iter__(self) -> Iterator[tuple[str, str, Subscription]]:
        """Yield app key, shop id and subscription for each subscription."""
        for (app_key, shop_id), kept in self._of.items():
            for subscription in kept.values():
                yield app_key, shop_id, subscription

    def put(
        self, app_key: str, shop_id: str, event_type: str, address: str, now: float
    ) -> Subscription:
        """Subscribe, or change the address."""
        kept = self._of[app_key, shop_id]
        milliseconds = int(now * 1000)
        old = kept.get(event_type)
        kept[event_type] = Subscription(
            event_type=event_type,
            address=address,
            create_time=old.create_time if old else milliseconds,
            update_time=milliseconds,
        )
        self.on_modified(self)
        return kept[event_type]

    def delete(self, app_key: str, shop_id: str, event_type: str) -> None:
        """Unsubscribe; our choice: do nothing if there is no subscription."""
        self._of[app_key, shop_id].pop(event_type, None)
        self.on_modified(self)

    def record(self, converter: Converter) -> list[Any]:
        """Return all subscriptions as JSON."""
        return [[*key, converter.unstructure(kept)] for key, kept in self._of.items()]

    def restore(self, converter: Converter, record: list[Any]) -> None:
        """Replace all subscriptions by those of a record."""
        self._of.clear()
        for app_key, shop_id, kept in record:
            self._of[app_key, shop_id] = converter.structure(kept, dict[str, Subscription])

    def of(self, app_key: str, shop_id: str) -> Mapping[str, Subscription]:
        """Return an app's subscriptions to a shop, by type of event."""
        return self._of.get((app_key, shop_id), {})

    def to(self, shop_id: str, event_type: str) -> Iterator[tuple[str, str]]:
        """Yield app key and address of every subscription to an event."""
        for (app_key, of_shop), kept in self._of.items():
            if of_shop == shop_id and event_type in kept:
                yield app_key, kept[event_type].address


def is_web_address(text: str) -> bool:
    """Return whether a text is an http or https URL."""
    if not text.isprintable():  # urlsplit drops line breaks and tabs
        return False
    try:
        parts = urlsplit(text)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
        return is_web and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
