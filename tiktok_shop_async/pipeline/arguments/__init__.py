"""The arguments of a call: checks, and conversion to what is sent."""
