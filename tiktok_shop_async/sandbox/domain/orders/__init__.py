"""Orders, packages and products."""
