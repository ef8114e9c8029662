"""Migrations of the store's tables. Applied revisions are never edited."""
