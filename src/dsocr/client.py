"""Speaks to a running service about jobs. Knows its HTTP, nothing of how it reads."""
