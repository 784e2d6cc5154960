"""State of a sandbox: what tests, control endpoints and the console share."""
