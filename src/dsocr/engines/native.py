"""The native engine: our own runtime behind the engine's face."""
