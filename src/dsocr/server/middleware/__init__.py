"""Plain ASGI middleware. Only `scope` is used, never a URL rebuilt from the Host header."""
