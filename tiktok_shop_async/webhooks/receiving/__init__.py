"""A receiver that acknowledges webhooks, stores them and dispatches them to handlers."""
