"""Reading a page again that was not read to its end."""
