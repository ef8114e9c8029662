"""Measurements: what the numbers in README.md come from. Not part of the package."""
