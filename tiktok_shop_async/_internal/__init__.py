"""Helpers that know nothing of TikTok Shop."""
