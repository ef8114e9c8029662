"""The language, script and direction of a text."""
