"""The clock of a database, which all its users share."""

from __future__ import annotations

NOW = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    # Constant within a statement: a volatile function could not use an index.
    "postgresql": "CAST(extract(epoch FROM statement_timestamp()) AS double precision)",
}
"""Unix seconds, by dialect."""
