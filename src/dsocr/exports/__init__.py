"""A document in, bytes out: one module a format."""
