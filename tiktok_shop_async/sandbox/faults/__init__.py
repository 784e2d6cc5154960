"""Injected faults and rate limits."""
