"""SQL helpers: engines, schema versions, group commit, locks."""
