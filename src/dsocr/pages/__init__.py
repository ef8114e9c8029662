"""A file's bytes in, page images out: sniffed by signature, decoded lazily in child processes."""
