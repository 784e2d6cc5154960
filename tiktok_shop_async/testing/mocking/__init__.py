"""A mocked TikTok Shop on respx."""
