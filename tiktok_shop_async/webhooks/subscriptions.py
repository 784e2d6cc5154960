"""Which events a shop has sent, and where to."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs

from ..errors import InvalidArgumentError, OutcomeUnknownError
from ..registry import did_you_mean
from ..spec.shapes import operation_shape, webhook_shape, webhook_types
from .event import WebhookEvent

if TYPE_CHECKING:
    from ..client import AsyncTikTokShop

LONGEST_ADDRESS = 255


@attrs.frozen(kw_only=True)
class WebhookChanges:
    """What `ensure_webhooks` has done, by the names of the events."""

    subscribed: tuple[str, ...] = ()
    """Sent to the address from now on."""
    ended: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    """It was so already."""


async def ensure_webhooks(
    client: AsyncTikTokShop, addresses: Mapping[type[WebhookEvent] | str | int, str | None]
) -> WebhookChanges:
    """Have a shop's events sent to these addresses; only what differs is changed.

    Subscriptions to events that are not named stay as they are.

    Args:
        client: For the shop: the subscriptions are those of the app to it.
        addresses: By event: its class, its name such as ``"ORDER_STATUS_CHANGE"``, or its number.
            An address is an HTTPS URL with a domain name and no port; None ends a subscription.

    Raises:
        InvalidArgumentError: An event cannot be subscribed to through the API, or an address
            cannot be reached by the platform; nothing was sent.
    """
    wanted = _wanted(addresses, is_local=_is_local(client.base_url))
    try:
        return await _bring_about(client, wanted)
    except OutcomeUnknownError:  # the same again does no harm
        return await _bring_about(client, wanted)


async def _bring_about(client: AsyncTikTokShop, wanted: Mapping[str, str | None]) -> WebhookChanges:
    response = await client.event.get_shop_webhooks()
    there = {each.event_type: each.address for each in response.data.webhooks}
    done: dict[str, list[str]] = {"subscribed": [], "ended": [], "unchanged": []}
    for name, address in wanted.items():
        if there.get(name) == address:
            done["unchanged"].append(name)
        elif address is None:
            await client.event.delete_shop_webhook(event_type=name)
            done["ended"].append(name)
        else:
            await client.event.update_shop_webhook(event_type=name, address=address)
            done["subscribed"].append(name)
    return WebhookChanges(**{what: tuple(names) for what, names in done.items()})


def _wanted(addresses: Mapping[Any, str | None], *, is_local: bool) -> dict[str, str | None]:
    wanted: dict[str, str | None] = {}
    for event, address in addresses.items():
        name = _name_of(event)
        if name in wanted:
            raise InvalidArgumentError(f"{name} is there twice.", argument="addresses")
        if address is not None:
            _check_address(name, address, is_local=is_local)
        wanted[name] = address
    return wanted


def _name_of(event: Any) -> str:
    if isinstance(event, str):
        known = operation_shape("event.update_shop_webhook")["body"]["event_type"]["enum"]
        if event in known:
            return event
        raise InvalidArgumentError(
            f"there is no event {event!r} to subscribe to.",
            argument="addresses",
            hint=did_you_mean(event, known).strip()
            or "A name that is newer than this release goes to event.update_shop_webhook.",
        )
    number = event.TYPE if isinstance(event, type) and issubclass(event, WebhookEvent) else event
    if not isinstance(number, int) or number not in webhook_types():
        raise InvalidArgumentError(f"{event!r} is no kind of event.", argument="addresses")
    shape = webhook_shape(number)
    if shape["event_type"] is None:
        raise InvalidArgumentError(
            f"{shape['name']} (type {number}) cannot be subscribed to through the API.",
            argument="addresses",
            hint="Give its address in Partner Center.",
        )
    return str(shape["event_type"])


def _check_address(name: str, address: str, *, is_local: bool) -> None:
    if problem := _problem_of(address, is_local=is_local):
        raise InvalidArgumentError(
            f"the address for {name} {problem}: {address}",
            argument="addresses",
            hint="The platform sends to HTTPS with a domain name and no port, as in "
            "https://shop.example.com/webhooks/.",
        )


def _problem_of(address: str, *, is_local: bool) -> str | None:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is no URL"
    if not host or parts.scheme not in ("http", "https"):
        return "is no URL"
    if len(address) > LONGEST_ADDRESS:
        return f"is longer than {LONGEST_ADDRESS} characters"
    if is_local:
        return None  # a sandbox reaches what is on this machine
    if parts.scheme != "https":
        return "is not HTTPS"
    if _is_address(host) or "." not in host:
        return "has no domain name"
    return "names a port" if port is not None else None


def _is_local(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
