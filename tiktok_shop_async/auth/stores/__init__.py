"""Token stores: in memory, in a SQL database, in Redis, and encryption over any of them."""

from .base import NEVER_WRITTEN, StoredValue, TokenStore
from .memory import MemoryTokenStore

__all__ = ["NEVER_WRITTEN", "MemoryTokenStore", "StoredValue", "TokenStore"]
