"""A page image in, a page result out. The engines and the grammar they all write."""
