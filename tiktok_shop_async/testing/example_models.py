"""Made-up objects and answers: full, plausible, and the same ones every time."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, TypeVar, cast

import attrs

from .._internal.model import NoData
from ..registry import did_you_mean, find_operation
from ..spec.examples import Examples
from ..spec.shapes import Node, class_fields, operation_shape
from .response_fields import check_fields

M = TypeVar("M")

_MODELS = "tiktok_shop_async.models."


def make(model: type[M], **overrides: Any) -> M:
    """Return an example of a generated model with all its fields.

    Overrides are attributes by name; one that is an object, or a list of them, may be given as a
    mapping (or mappings) of what to change in the example.
    """
    if model is NoData:
        return model(**overrides)
    module = model.__module__ if isinstance(model, type) else ""
    place = module.removeprefix(_MODELS)
    if place == module:
        raise TypeError(f"{model!r} is no model's class of {_MODELS.rstrip('.')}")
    return _Maker(place.partition(".")[0], model.__name__).make(model, overrides, "")


def example_response(
    operation_id: str, *, version: str | None = None, data: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the whole answer of an operation, as the service would send it.

    ``data`` replaces fields of the answer's data, by their names in the API; a field that the
    catalogue does not have is a `TypeError`, since it may be misspelt. Add one to the result.
    """
    described = find_operation(operation_id)
    check_fields(operation_id, dict(data or {}))
    examples = Examples(
        seed=operation_id, version=described.check_version(version or described.versions[-1])
    )
    made = examples.of_fields(operation_shape(operation_id)["response"])
    return {
        "code": 0,
        "message": "Success",
        "request_id": "202611240001020304050607",
        "data": made | dict(data or {}),
    }


class _Maker:
    """Makes a model and all that it holds."""

    def __init__(self, group: str, seed: str) -> None:
        self._group = group
        self._examples = Examples(seed=seed)

    def make(self, model: type[M], overrides: Mapping[str, Any], path: str) -> M:
        nodes = class_fields(self._group, model.__name__)
        fields = {
            field.name: field.metadata.get("wire_name", field.name)
            for field in attrs.fields(cast("type[attrs.AttrsInstance]", model))
        }
        unknown = overrides.keys() - fields.keys()
        if unknown:
            name = min(unknown)
            raise TypeError(f"{model.__name__} has no {name!r}.{did_you_mean(name, fields)}")
        return model(
            **{
                name: self._value(nodes[wire], overrides.get(name), f"{path}.{wire}")
                if name not in overrides or _is_partial(overrides[name])
                else overrides[name]
                for name, wire in fields.items()
            }
        )

    def _value(self, node: Node, override: Any, path: str) -> Any:
        if node["type"] == "array":
            given = override if isinstance(override, list) else [None] * self._examples.items
            return [
                self._value(node["items"], item, f"{path}[{at}]") for at, item in enumerate(given)
            ]
        if "class" not in node:
            name = path.rpartition(".")[2].partition("[")[0]
            return self._examples.of(node, name, path) if override is None else override
        if override is not None and not isinstance(override, Mapping):
            return override
        models = import_module(f"{_MODELS}{self._group}")
        return self.make(getattr(models, node["class"]), override or {}, path)


def _is_partial(override: Any) -> bool:
    """Whether an override is, or has, a mapping of what to change."""
    return isinstance(override, Mapping) or (
        isinstance(override, list) and any(isinstance(item, Mapping) for item in override)
    )
