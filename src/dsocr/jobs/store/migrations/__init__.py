"""How the store came to its shape. Applied revisions are never edited."""
