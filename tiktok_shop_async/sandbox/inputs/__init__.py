"""Input checks and conversions that every part of the sandbox uses."""
