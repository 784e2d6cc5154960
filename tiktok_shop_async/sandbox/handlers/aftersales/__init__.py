"""Handlers of cancellations, returns and refunds."""
