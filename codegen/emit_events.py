"""Emission of the modules of ``webhooks/events/`` and the exports of ``webhooks/``."""

from __future__ import annotations

from .catalogue import EVENTS, EventFacts
from .classes import GroupClasses, classes_of
from .emit_models import HEADER, Tail, lazy_package, model_modules
from .modules import Layout, lay_out
from .naming import names_of
from .text import docstring, pascal
from .wording import Wording, wording_of

_EXPORTS = {
    "receiving.dependency": ["webhook_event"],
    "event": ["UnknownEvent", "WebhookEvent"],
    "poller": ["WebhookPoller"],
    "receiving.receiver": ["WebhookReceiver"],
    "stores.base": [
        "ClaimedEvent",
        "DeadLetter",
        "NewEvent",
        "StoredCounts",
        "WaitingEvent",
        "WebhookStore",
    ],
    "stores.memory": ["MemoryWebhookStore"],
    "stores.redis": ["RedisWebhookStore"],
    "stores.sql": ["SQLWebhookStore"],
    "subscriptions": ["WebhookChanges", "ensure_webhooks"],
    "webhooks": ["Webhooks"],
}
"""The exports of ``webhooks/`` besides the events: module -> names."""

_ABOUT_WEBHOOKS = (
    "Webhooks: signature checks, typed events, a receiver with durable stores, and a poller."
)
_PAGE = "https://partner.tiktokshop.com/docv2/page/tts-webhooks-overview"


def event_modules(
    events: list[EventFacts], locked: dict[str, str]
) -> tuple[dict[str, str], GroupClasses]:
    """Return the text of each module by file name, and the classes of the events' data."""
    operations = [event.operation for event in events]
    names = names_of(EVENTS, locked)
    names.by_operation = {event.name: _data_class(event) for event in events}
    found = classes_of(EVENTS, operations, names)
    names.check_used()
    wording = wording_of(EVENTS, operations)
    layout = lay_out(operations, found)
    tails = {event.name: _tail(event, wording) for event in events}
    files = model_modules(EVENTS, found, layout, wording, tails)
    return files | {"__init__.py": _package(events, layout)}, found


def event_class(event: EventFacts) -> str:
    """Return the name of an event's class."""
    return pascal(event.name)


def _data_class(event: EventFacts) -> str:
    return f"{event_class(event)}Data"


def _tail(event: EventFacts, wording: Wording) -> Tail:
    entry = wording.operations[event.name]
    text = "\n\n".join(filter(None, (entry["summary"], entry.get("notes"), f"Source: {_PAGE}")))
    lines = [
        "@attrs.frozen(kw_only=True)",
        f"class {event_class(event)}(WebhookEvent):",
        *docstring(text, 4),
        "",
        f"    TYPE: ClassVar[int | None] = {event.number}",
    ]
    if event.event_type:
        lines.append(f'    EVENT_TYPE: ClassVar[str | None] = "{event.event_type}"')
    lines += ["", f"    data: {_data_class(event)}"]
    return Tail(title=f"The event ``{event.name}``, type {event.number}.", lines=lines)


def _package(events: list[EventFacts], layout: Layout) -> str:
    module_of = layout.module_of | {event_class(event): event.name for event in events}
    numbers = [f'    {event.number}: "{event_class(event)}",' for event in events]
    return "\n".join(
        [
            *lazy_package("Webhook events and their data, loaded on first use.", module_of),
            "CLASS_OF = {",
            *numbers,
            "}",
            '"""Type number of an event -> name of its class."""',
            "",
        ]
    )


def webhooks_package(events: list[EventFacts]) -> str:
    """Return the text of ``webhooks/__init__.py``."""
    exports = _EXPORTS | {"events": [event_class(event) for event in events]}
    mirror = [
        f"    from .{module} import {', '.join(sorted(names))}"
        for module, names in sorted(exports.items())
    ]
    names = sorted(name for names in exports.values() for name in names)
    module_of = {name: module for module, names in _EXPORTS.items() for name in names}
    return "\n".join(
        [
            f'"""{_ABOUT_WEBHOOKS}"""',
            "",
            HEADER.replace("catalogue/", "catalogue/ and codegen/"),
            "",
            "from typing import TYPE_CHECKING",
            "",
            "from .._internal.lazy_exports import lazy_exports",
            "from .events import CLASS_OF",
            "",
            "if TYPE_CHECKING:",
            *mirror,
            "",
            "    __all__ = [",
            *(f'        "{name}",' for name in names),
            "    ]",
            "",
            "_, __getattr__, __dir__ = lazy_exports(",
            "__name__,",
            "{",
            '    **dict.fromkeys(CLASS_OF.values(), "events"),',
            *(f'    "{name}": "{module}",' for name, module in sorted(module_of.items())),
            "})",
            "",
        ]
    )
