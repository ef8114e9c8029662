"""HTTP: the contract of the service."""
