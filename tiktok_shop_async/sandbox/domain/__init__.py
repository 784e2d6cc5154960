"""The domain of a sandbox: shops with their orders, products and authorizations."""
