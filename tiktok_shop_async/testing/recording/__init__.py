"""Recording and replay of real traffic."""
