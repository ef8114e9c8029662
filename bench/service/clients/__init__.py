"""Client processes that send documents to the service."""
