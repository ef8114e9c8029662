"""A service behind a socket, as the server's tests have it."""

from tests.server.conftest import serve

__all__ = ["serve"]
