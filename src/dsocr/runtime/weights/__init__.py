"""Checkpoint files into modules, and checks of a checkpoint folder."""
