"""Control endpoints: unsigned JSON under ``/_sandbox/``."""
