"""Handlers of the API's operations."""
