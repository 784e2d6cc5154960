"""SQL and Redis helpers that the stores share."""
