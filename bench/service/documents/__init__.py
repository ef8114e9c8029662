"""The documents that the service is given."""
