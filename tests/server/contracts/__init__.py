"""Tests of the foreign contracts."""
