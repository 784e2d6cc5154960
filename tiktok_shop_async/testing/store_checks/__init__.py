"""Rules that `check_token_store` checks."""
