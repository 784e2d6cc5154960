"""The service's protocol: envelopes, decoding, and the mapping of codes to errors."""
