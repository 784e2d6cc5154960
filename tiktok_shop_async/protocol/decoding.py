"""The decoding of response bodies into models, on one of two paths.

msgspec fills the attrs classes directly from the bytes. A document that does not match its model,
or that msgspec cannot read, takes the second path: `lenient_decoding`, which is only slower.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from .._internal.lenient_json import load_document, load_shallow
from .._internal.model import has_wire_names
from ..response import DecodingIssue

M = TypeVar("M")


class Envelope(msgspec.Struct):
    """The envelope of every response of the service."""

    code: Any = None
    message: Any = None
    request_id: Any = None
    data: Any = None
    """A model, `msgspec.Raw` that is not decoded yet, or plain values of a malformed document."""


class _TypedEnvelope(Envelope, Generic[M]):
    data: M | None = None


class _RawEnvelope(Envelope):
    data: msgspec.Raw = msgspec.Raw()


_raw_envelopes = msgspec.json.Decoder(_RawEnvelope)
_typed_envelopes: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def read_envelope(body: bytes, model: type[Any] | None) -> Envelope | None:
    """Return the envelope, or None if the body is not a JSON object.

    If the data matches ``model``, it is decoded in the same pass.
    """
    for decoder in (_typed_decoder(model), _raw_envelopes):
        try:
            envelope: Envelope = decoder.decode(body)
        except (ValueError, RecursionError):
            continue
        return envelope
    return _read_malformed(body)


def _typed_decoder(model: type[Any] | None) -> msgspec.json.Decoder[Any]:
    if model is None:
        return _raw_envelopes
    if model not in _typed_envelopes:
        # msgspec does not support renamed fields of attrs classes: the second path reads those.
        typed: Any = _TypedEnvelope
        _typed_envelopes[model] = (
            _raw_envelopes if has_wire_names(model) else msgspec.json.Decoder(typed[model])
        )
    return _typed_envelopes[model]


def _read_malformed(body: bytes) -> Envelope | None:
    """Read what msgspec rejects but Python's own parser accepts: lone surrogates, a BOM."""
    try:
        document = load_in_part(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    return Envelope(*(document.get(field) for field in Envelope.__struct_fields__))


def load_in_part(body: bytes) -> Any:
    """Return the values of a document, with `TOO_DEEP` for those nested too deeply for Python.

    Raise `ValueError` if it is not JSON.
    """
    try:
        return load_document(body)
    except RecursionError:
        return load_shallow(body)


def decode_data(model: type[M] | None, data: Any) -> tuple[M, tuple[DecodingIssue, ...]]:
    """Return the data of an envelope as a ``model``, and the issues found in it.

    Without a model, return plain values. Raise nothing, because the call has succeeded.
    """
    if model is not None:
        if isinstance(data, model):
            return data, ()
        if data is None or (isinstance(data, msgspec.Raw) and _is_null(data)):
            return model(), ()
    try:
        if model is None:
            return _plain_and_issues(data)
        plain = _plain(data)
        # cattrs is slow to import, and most programs never need it.
        from .lenient_decoding import structure_leniently

        return structure_leniently(model, plain)
    except (ValueError, RecursionError):
        empty: Any = model and model()
        return empty, (DecodingIssue(path="", expected="object", found="unreadable"),)


def _is_null(raw: msgspec.Raw) -> bool:
    view = memoryview(raw)
    return view.nbytes <= len(b"null") and bytes(view) in (b"", b"null")


def _plain(data: Any) -> Any:
    if not isinstance(data, msgspec.Raw):
        return data
    return _load_raw(data, load_in_part)


def _plain_and_issues(data: Any) -> tuple[Any, tuple[DecodingIssue, ...]]:
    """Return plain values, and an issue for each value that JSON does not have."""
    if isinstance(data, msgspec.Raw):  # msgspec has checked that it is JSON
        try:
            return _load_raw(data, load_document), ()
        except RecursionError:
            data = _load_raw(data, load_shallow)
    from .plain_values import find_mismatch, json_type, remove_invalid_values

    expected = find_mismatch(data)
    if expected is not None:
        return None, (DecodingIssue(path="", expected=expected, found=json_type(data)),)
    return data, tuple(remove_invalid_values(data))


def _load_raw(data: msgspec.Raw, load: Callable[[bytes], Any]) -> Any:
    raw = bytes(data)
    return load(raw) if raw else None
