"""Engines: from a page image to a page result. Their interface, their table, and the engines."""
