"""Journals of batches: each request before it is sent, and its outcome."""
