"""The console: web pages to watch and control a running sandbox."""

from .console_routes import console_routes

__all__ = ["console_routes"]
