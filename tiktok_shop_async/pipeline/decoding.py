"""Raw data -> model, on one of two paths.

msgspec fills the attrs classes straight from the bytes. A document that does not fit, or that
msgspec cannot read, takes the second path (`leniency`), which loses nothing but speed.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any, TypeVar

import attrs
import msgspec

from ..documents import load_document
from ..response import DecodingIssue

M = TypeVar("M")


class Envelope(msgspec.Struct):
    """What every answer of the service is wrapped in."""

    code: Any = None
    message: Any = None
    request_id: Any = None
    data: Any = None
    """Still encoded, as `msgspec.Raw`, or plain values where the document was an odd one."""


class _RawEnvelope(Envelope):
    data: msgspec.Raw = msgspec.Raw()


_envelopes = msgspec.json.Decoder(_RawEnvelope)


def read_envelope(body: bytes) -> Envelope | None:
    """Return the envelope, or None if the body is no JSON object."""
    try:
        return _envelopes.decode(body)
    except (ValueError, RecursionError):
        return _odd_envelope(body)


def _odd_envelope(body: bytes) -> Envelope | None:
    """Read what msgspec refuses and Python's own parser takes: half a surrogate pair, a BOM."""
    try:
        document = load_document(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    return Envelope(*(document.get(field) for field in Envelope.__struct_fields__))


def decode_data(model: type[M] | None, data: Any) -> tuple[M, tuple[DecodingIssue, ...]]:
    """Return an envelope's data as a ``model``, and what of it could not be coerced.

    Without a model, data is plain values, whatever they are.
    """
    if model is None:
        return _plain(data), ()
    if data is None or (isinstance(data, msgspec.Raw) and _is_null(data)):
        return model(), ()
    if isinstance(data, msgspec.Raw):
        decoder = _decoder(model)
        if decoder is not None:
            try:
                return decoder.decode(data), ()
            except (ValueError, RecursionError):
                pass  # the second path makes it fit, or says what does not
    # cattrs takes a while to import, and most programs never need it.
    from .leniency import structure_leniently

    try:
        return structure_leniently(model, _plain(data))
    except (ValueError, RecursionError):
        return model(), (DecodingIssue(path="", expected="object", found="unreadable"),)


def _is_null(raw: msgspec.Raw) -> bool:
    view = memoryview(raw)
    return view.nbytes <= len(b"null") and bytes(view) in (b"", b"null")


def _plain(data: Any) -> Any:
    if not isinstance(data, msgspec.Raw):
        return data
    raw = bytes(data)
    return load_document(raw) if raw else None


_decoders: dict[type[Any], msgspec.json.Decoder[Any] | None] = {}


def _decoder(model: type[M]) -> msgspec.json.Decoder[M] | None:
    """Return the fast decoder, or None for a model with renamed fields, which msgspec ignores."""
    if model not in _decoders:
        fits = not _has_wire_names(model, set())
        _decoders[model] = msgspec.json.Decoder(model) if fits else None
    return _decoders[model]


def _has_wire_names(model: type[Any], seen: set[type[Any]]) -> bool:
    seen.add(model)
    fields = attrs.fields(attrs.resolve_types(model))
    return any("wire_name" in field.metadata for field in fields) or any(
        _has_wire_names(part, seen)
        for field in fields
        for part in _models_in(field.type)
        if part not in seen
    )


def _models_in(annotation: Any) -> Iterator[type[Any]]:
    if isinstance(annotation, type) and attrs.has(annotation):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)
