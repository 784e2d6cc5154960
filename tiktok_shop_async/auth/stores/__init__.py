"""Where authorizations are kept: in memory, in a SQL database, in Redis."""

from .base import NEVER_WRITTEN, StoredValue, TokenStore
from .memory import MemoryTokenStore

__all__ = ["NEVER_WRITTEN", "MemoryTokenStore", "StoredValue", "TokenStore"]
