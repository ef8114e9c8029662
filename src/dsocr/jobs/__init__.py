"""Documents over time: accepted for good, read page by page, surviving whatever kills us."""
