"""How fast it is, side by side with plain httpx, the PyPI peer and the TypeScript SDK."""
