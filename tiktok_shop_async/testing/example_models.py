"""Example objects and responses: complete, plausible and deterministic."""

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

    Args:
        model: The class of the model.
        overrides: Values of attributes. For an object, a mapping changes only some fields of the
            example; for a list of objects, a list of mappings does.
    """
    if model is NoData:
        return model(**overrides)
    module = model.__module__ if isinstance(model, type) else ""
    qualified = module.removeprefix(_MODELS)
    if qualified == module:
        raise TypeError(
            f"model must be a class of {_MODELS.rstrip('.')}, such as Order, not {model!r}."
        )
    return _ExampleBuilder(qualified.partition(".")[0], model.__name__).build(model, overrides, "")


def example_response(
    operation_id: str, *, version: str | None = None, data: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return an example of an operation's whole response, with code, message and data.

    Args:
        operation_id: Group and name of the operation, such as ``"order.get_order_list"``.
        version: A version of the operation, the newest unless given.
        data: Fields of the data that replace those of the example, by their names in the API. A
            field that the catalogue lacks is a `TypeError`, since it may be misspelt: add such a
            field to the returned response.
    """
    operation = find_operation(operation_id)
    check_fields(operation_id, dict(data or {}))
    examples = Examples(
        seed=operation_id, version=operation.check_version(version or operation.versions[-1])
    )
    example = examples.make_object(operation_shape(operation_id)["response"])
    return {
        "code": 0,
        "message": "Success",
        "request_id": "202611240001020304050607",
        "data": example | dict(data or {}),
    }


class _ExampleBuilder:
    """Builds examples of a group's models, with their nested objects."""

    def __init__(self, group: str, seed: str) -> None:
        self._group = group
        self._examples = Examples(seed=seed)

    def build(self, model: type[M], overrides: Mapping[str, Any], path: str) -> M:
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
            return self._examples.make_value(node, name, path) if override is None else override
        if override is not None and not isinstance(override, Mapping):
            return override
        models = import_module(f"{_MODELS}{self._group}")
        return self.build(getattr(models, node["class"]), override or {}, path)


def _is_partial(override: Any) -> bool:
    """Return whether an override is or contains a mapping of fields to change."""
    return isinstance(override, Mapping) or (
        isinstance(override, list) and any(isinstance(item, Mapping) for item in override)
    )
