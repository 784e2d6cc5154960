"""The API's specification: shapes, examples, and an independent signature verifier."""
