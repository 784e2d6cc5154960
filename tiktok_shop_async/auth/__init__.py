"""Who calls: access token and ciphers."""

from .state import AuthState

__all__ = ["AuthState"]
