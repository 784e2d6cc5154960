"""Benchmarks beside plain httpx, the PyPI client and the TypeScript SDK, in one run."""
