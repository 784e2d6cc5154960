"""Subscriptions of a shop to events, and the addresses they are sent to."""

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

MAX_ADDRESS_LENGTH = 255


@attrs.frozen(kw_only=True)
class WebhookChanges:
    """The changes that `ensure_webhooks` made, by the names of the events."""

    subscribed: tuple[str, ...] = ()
    """Events that are now sent to the given address."""
    ended: tuple[str, ...] = ()
    """Events that are no longer sent."""
    unchanged: tuple[str, ...] = ()
    """Events whose subscription was as wanted."""


async def ensure_webhooks(
    client: AsyncTikTokShop, addresses: Mapping[type[WebhookEvent] | str | int, str | None]
) -> WebhookChanges:
    """Subscribe a shop to events, or end subscriptions; only differences are changed.

    Other subscriptions of the shop stay as they are.

    Args:
        client: The client of the shop; subscriptions belong to the app and the shop.
        addresses: By event: its class, its name such as ``"ORDER_STATUS_CHANGE"``, or its number.
            An address is an HTTPS URL with a domain name and no port; None ends a subscription.

    Raises:
        InvalidArgumentError: The API does not offer a subscription to an event, or the platform
            cannot reach an address; nothing was sent.
    """
    wanted = _wanted(addresses, is_local=_is_local(client.base_url))
    try:
        return await _apply(client, wanted)
    except OutcomeUnknownError:  # all of this is idempotent
        return await _apply(client, wanted)


async def _apply(client: AsyncTikTokShop, wanted: Mapping[str, str | None]) -> WebhookChanges:
    response = await client.event.get_shop_webhooks()
    current = {each.event_type: each.address for each in response.data.webhooks}
    changes: dict[str, list[str]] = {"subscribed": [], "ended": [], "unchanged": []}
    for name, address in wanted.items():
        if current.get(name) == address:
            changes["unchanged"].append(name)
        elif address is None:
            await client.event.delete_shop_webhook(event_type=name)
            changes["ended"].append(name)
        else:
            await client.event.update_shop_webhook(event_type=name, address=address)
            changes["subscribed"].append(name)
    return WebhookChanges(**{change: tuple(names) for change, names in changes.items()})


def _wanted(addresses: Mapping[Any, str | None], *, is_local: bool) -> dict[str, str | None]:
    wanted: dict[str, str | None] = {}
    for event, address in addresses.items():
        name = _name_of(event)
        if name in wanted:
            raise InvalidArgumentError(
                f"addresses has {name} more than once.", argument="addresses"
            )
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
            f"unknown event {event!r}.",
            argument="addresses",
            hint=did_you_mean(event, known).strip()
            or "For a name that is newer than this release, call event.update_shop_webhook.",
        )
    number = event.TYPE if isinstance(event, type) and issubclass(event, WebhookEvent) else event
    if not isinstance(number, int) or number not in webhook_types():
        raise InvalidArgumentError(
            f"{event!r} must be an event class, an event's name or its type number.",
            argument="addresses",
        )
    shape = webhook_shape(number)
    if shape["event_type"] is None:
        raise InvalidArgumentError(
            f"the API does not offer a subscription to {shape['name']} (type {number}).",
            argument="addresses",
            hint="Enter its address in Partner Center.",
        )
    return str(shape["event_type"])


def _check_address(name: str, address: str, *, is_local: bool) -> None:
    if problem := _problem_of(address, is_local=is_local):
        raise InvalidArgumentError(
            f"the address for {name} {problem}: {address}",
            argument="addresses",
            hint="The platform requires HTTPS, a domain name and no port, as in "
            "https://shop.example.com/webhooks/.",
        )


def _problem_of(address: str, *, is_local: bool) -> str | None:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "must be a URL"
    if not host or parts.scheme not in ("http", "https"):
        return "must be a URL"
    if len(address) > MAX_ADDRESS_LENGTH:
        return f"must have at most {MAX_ADDRESS_LENGTH} characters"
    if is_local:
        return None  # a sandbox can reach this machine
    if parts.scheme != "https":
        return "must use HTTPS"
    if _is_address(host) or "." not in host:
        return "must have a domain name"
    return "must not have a port" if port is not None else None


def _is_local(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    return host == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
