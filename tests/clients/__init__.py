"""The real clients of foreign contracts, in a virtual environment of their own."""
