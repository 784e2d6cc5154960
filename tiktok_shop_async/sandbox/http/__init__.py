"""HTTP endpoints of operations and tokens: from a request's bytes to a handler, and back."""
