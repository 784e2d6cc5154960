"""The orders of a shop: ledger, fulfillment, stock and settings."""
