"""Stores of waiting events, dead letters and remembered ids."""
