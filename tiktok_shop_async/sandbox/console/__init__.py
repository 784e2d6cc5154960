"""The console: web pages to look at a running sandbox and to work on it."""

from .routes import console_routes

__all__ = ["console_routes"]
