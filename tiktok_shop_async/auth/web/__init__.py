"""The web routes of an authorization, as an ASGI application to mount."""

from .routes import Authorized, OAuthRoutes

__all__ = ["Authorized", "OAuthRoutes"]
