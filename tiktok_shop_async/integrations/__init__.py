"""Integrations with other libraries: OpenTelemetry and Taskiq."""
