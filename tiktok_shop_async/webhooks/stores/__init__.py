"""Where events wait to be handled, and their ids are remembered."""
