"""Decoding of a delivery's body to an event; unexpected values never make it fail."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any

import attrs
import msgspec

from .._internal.model import has_wire_names
from ..errors import WebhookBodyError
from ..protocol.decoding import decode_data, load_in_part
from ..response import DecodingIssue
from .event import UnknownEvent, WebhookEvent
from .kinds import data_class, event_class

Issues = tuple[DecodingIssue, ...]


class _Delivery(msgspec.Struct):
    """The envelope of a delivery, as it was received."""

    type: Any = None
    tts_notification_id: Any = None
    shop_id: Any = None
    seller_open_id: Any = None
    creator_open_id: Any = None
    timestamp: Any = None
    data: Any = None
    """Encoded, as `msgspec.Raw`, or plain values if msgspec rejects the document."""


class _RawDelivery(_Delivery):
    data: msgspec.Raw = msgspec.Raw()


@attrs.frozen(kw_only=True)
class _Envelope:
    """The envelope without data, with the documented types."""

    type: int | None = None
    tts_notification_id: str | None = None
    shop_id: str | None = None
    seller_open_id: str | None = None
    creator_open_id: str | None = None
    timestamp: int | None = None


_TYPES = (int, str, str, str, str, int)
_decoders: dict[type[Any], msgspec.json.Decoder[Any] | None] = {}
_raw_deliveries = msgspec.json.Decoder(_RawDelivery)


def parse_event(body: bytes, *, id: str | None, app_key: str | None) -> WebhookEvent:  # noqa: A002
    """Return the event in a body; `WebhookBodyError` unless it is a JSON object."""
    delivery = _read(body)
    envelope, issues = _envelope_of(delivery)
    kind = None if envelope.type is None else event_class(envelope.type)
    data: Any
    if kind is None:
        kind, (data, found) = UnknownEvent, decode_data(None, delivery.data)
    else:
        data, found = _data_of(data_class(kind), delivery.data)
    issues += tuple(attrs.evolve(each, path=_below("data", each.path)) for each in found)
    return kind(
        id=id or _id(envelope.tts_notification_id, body),
        type=envelope.type,
        tts_notification_id=envelope.tts_notification_id,
        shop_id=envelope.shop_id,
        seller_open_id=envelope.seller_open_id,
        creator_open_id=envelope.creator_open_id,
        timestamp=envelope.timestamp,
        data=data,
        app_key=app_key,
        issues=issues,
        raw=body,
    )


def _id(notification_id: str | None, body: bytes) -> str:
    # Databases reject some text; the platform never sends such an id.
    if notification_id and notification_id.isascii() and notification_id.isprintable():
        return notification_id
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _read(body: bytes) -> _Delivery:
    try:
        return _raw_deliveries.decode(body)
    except (ValueError, RecursionError):
        pass  # such as half a surrogate pair, which Python's own parser accepts
    try:
        document = load_in_part(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise WebhookBodyError(
            "the delivery's body must be a JSON object.",
            hint="Pass the request's body, byte for byte as it was received.",
        )
    return _Delivery(*(document.get(field) for field in _Delivery.__struct_fields__))


def _envelope_of(delivery: _Delivery) -> tuple[_Envelope, Issues]:
    names = _Delivery.__struct_fields__[:-1]
    values = {name: getattr(delivery, name) for name in names}
    for value, expected in zip(values.values(), _TYPES, strict=True):
        if value is not None and type(value) is not expected:
            # cattrs takes a while to import, and most programs never need it.
            from ..protocol.lenient_decoding import structure_leniently

            return structure_leniently(_Envelope, values)
    return _Envelope(**values), ()


def _data_of(model: type[Any], data: Any) -> tuple[Any, Issues]:
    if isinstance(data, msgspec.Raw) and (decoder := _decoder_of(model)):
        try:
            return decoder.decode(data), ()
        except (ValueError, RecursionError):
            pass  # the lenient path finds the mismatch
    plain = _plain(data)
    if isinstance(plain, str):  # an object that was encoded as JSON twice
        with suppress(ValueError, RecursionError):
            plain = load_in_part(plain.encode("utf-8", "surrogatepass"))
    return decode_data(model, plain)


def _decoder_of(model: type[Any]) -> msgspec.json.Decoder[Any] | None:
    if model not in _decoders:
        # msgspec ignores renamed fields of attrs classes: the lenient path decodes those.
        _decoders[model] = None if has_wire_names(model) else msgspec.json.Decoder(model)
    return _decoders[model]


def _plain(data: Any) -> Any:
    if not isinstance(data, msgspec.Raw):
        return data
    raw = bytes(data)
    return load_in_part(raw) if raw else None


def _below(step: str, path: str) -> str:
    return f"{step}.{path}" if path else step
