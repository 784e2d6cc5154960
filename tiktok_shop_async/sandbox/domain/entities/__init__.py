"""Entities of a shop: orders, packages, products, cancellations, returns and refunds."""
