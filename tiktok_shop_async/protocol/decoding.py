"""Raw data -> model, on one of two paths.

msgspec fills the attrs classes straight from the bytes. A document that does not fit, or that
msgspec cannot read, takes the second path (`leniency`), which loses nothing but speed.
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
    """What every answer of the service is wrapped in."""

    code: Any = None
    message: Any = None
    request_id: Any = None
    data: Any = None
    """The model; else still encoded, as `msgspec.Raw`, or plain values of an odd document."""


class _TypedEnvelope(Envelope, Generic[M]):
    data: M | None = None


class _RawEnvelope(Envelope):
    data: msgspec.Raw = msgspec.Raw()


_raw_envelopes = msgspec.json.Decoder(_RawEnvelope)
_typed_envelopes: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def read_envelope(body: bytes, model: type[Any] | None) -> Envelope | None:
    """Return the envelope, or None if the body is no JSON object.

    Its data is a ``model`` already if it fits; envelope and data are read in one pass.
    """
    for decoder in (_typed_envelopes_of(model), _raw_envelopes):
        try:
            envelope: Envelope = decoder.decode(body)
        except (ValueError, RecursionError):
            continue
        return envelope
    return _odd_envelope(body)


def _typed_envelopes_of(model: type[Any] | None) -> msgspec.json.Decoder[Any]:
    if model is None:
        return _raw_envelopes
    if model not in _typed_envelopes:
        # msgspec knows nothing of renamed fields in attrs classes: the second path reads those.
        typed: Any = _TypedEnvelope
        _typed_envelopes[model] = (
            _raw_envelopes if has_wire_names(model) else msgspec.json.Decoder(typed[model])
        )
    return _typed_envelopes[model]


def _odd_envelope(body: bytes) -> Envelope | None:
    """Read what msgspec refuses and Python's own parser takes: half a surrogate pair, a BOM."""
    try:
        document = load_in_part(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    return Envelope(*(document.get(field) for field in Envelope.__struct_fields__))


def load_in_part(body: bytes) -> Any:
    """Return a document's values, with `TOO_DEEP` in those that are nested too deeply for Python.

    Raises `ValueError` if it is not JSON.
    """
    try:
        return load_document(body)
    except RecursionError:
        return load_shallow(body)


def decode_data(model: type[M] | None, data: Any) -> tuple[M, tuple[DecodingIssue, ...]]:
    """Return an envelope's data as a ``model``, and what of it could not be read.

    Without a model, data is plain values, whatever they are. Nothing raises: the call succeeded.
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
        # cattrs takes a while to import, and most programs never need it.
        from .lenient_decoding import structure_leniently

        return structure_leniently(model, plain)
    except (ValueError, RecursionError):
        nothing: Any = model and model()
        return nothing, (DecodingIssue(path="", expected="object", found="unreadable"),)


def _is_null(raw: msgspec.Raw) -> bool:
    view = memoryview(raw)
    return view.nbytes <= len(b"null") and bytes(view) in (b"", b"null")


def _plain(data: Any) -> Any:
    if not isinstance(data, msgspec.Raw):
        return data
    return _document_of(data, load_in_part)


def _plain_and_issues(data: Any) -> tuple[Any, tuple[DecodingIssue, ...]]:
    """Return plain values, and what in them is not JSON."""
    if isinstance(data, msgspec.Raw):  # which msgspec found to be JSON
        try:
            return _document_of(data, load_document), ()
        except RecursionError:
            data = _document_of(data, load_shallow)
    from .plain_values import expected_in_place_of, issues_within, json_type

    expected = expected_in_place_of(data)
    if expected is not None:
        return None, (DecodingIssue(path="", expected=expected, found=json_type(data)),)
    return data, tuple(issues_within(data))


def _document_of(data: msgspec.Raw, load: Callable[[bytes], Any]) -> Any:
    raw = bytes(data)
    return load(raw) if raw else None
