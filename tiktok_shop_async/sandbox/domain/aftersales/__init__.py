"""Cancellations, returns and refunds."""
