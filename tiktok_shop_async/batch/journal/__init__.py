"""Journals of batches: they record each request before it is sent, and its outcome."""
