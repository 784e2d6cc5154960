"""Handlers of products and their images."""
