"""From lines and regions to the labelled blocks of a page."""
