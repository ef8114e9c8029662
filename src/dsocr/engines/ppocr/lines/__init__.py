"""The lines of a page: from recognition, from the text layer, and how far they can be trusted."""
