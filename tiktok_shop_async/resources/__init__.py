"""The generated resource classes, one module a group."""
