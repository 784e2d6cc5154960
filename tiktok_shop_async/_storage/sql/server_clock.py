"""The clock of a database, which all who use it share."""

from __future__ import annotations

NOW = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    # The same in all of a statement: what changes within one cannot be looked up in an index.
    "postgresql": "CAST(extract(epoch FROM statement_timestamp()) AS double precision)",
}
"""Unix seconds, by dialect."""
