"""Receiving of webhooks: acknowledged, stored, and dispatched to handlers."""
