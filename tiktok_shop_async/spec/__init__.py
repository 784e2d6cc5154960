"""The specification of the API: shapes, examples, and an independent signature verifier."""
