"""From a page to its lines of text: the text layer where it is reliable, recognition elsewhere."""
