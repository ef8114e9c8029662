"""A page image in, a page result out: what an engine is, which there are, and the engines."""
