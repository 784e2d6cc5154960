"""HTTP in the sandbox: from a request's bytes to a handler, and back."""
