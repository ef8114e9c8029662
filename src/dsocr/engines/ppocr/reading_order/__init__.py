"""From lines to paragraphs in reading order."""
