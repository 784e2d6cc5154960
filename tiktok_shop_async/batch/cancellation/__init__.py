"""Cancellation of many orders, with a verified outcome for each."""
