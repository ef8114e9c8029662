"""Compiles the kernels of a configuration ahead of their first launch, side by side."""
