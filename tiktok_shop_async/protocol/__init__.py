"""The service's protocol: envelopes, decoding, and codes that become errors."""
