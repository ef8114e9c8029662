"""The tables of a document: their grid, spans and numbers, for all formats."""
