"""A PDF file: its pages as images, and their text layer as far as the page shows it."""
