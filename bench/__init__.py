"""Benchmarks: the source of the figures in README.md. Not part of the package."""
