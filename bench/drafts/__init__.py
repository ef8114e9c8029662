"""How many tokens of a page a PDF's text layer, or the page itself, guesses right."""
