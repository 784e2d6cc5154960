"""Taskiq: calls and cancellations by workers on many machines."""

from typing import TYPE_CHECKING

from ..._internal.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from .broker import RedeliveringStreamBroker
    from .worker import ShopWorker, WorkerResources

__all__ = ["RedeliveringStreamBroker", "ShopWorker", "WorkerResources"]

_, __getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "RedeliveringStreamBroker": "broker",
        "ShopWorker": "worker",
        "WorkerResources": "worker",
    },
)
