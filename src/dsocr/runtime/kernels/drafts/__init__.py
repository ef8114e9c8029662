"""Kernels of steps with drafts: look-up, layout, attention, acceptance."""
