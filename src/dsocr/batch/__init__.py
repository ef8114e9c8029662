"""Many documents in one run: inputs, outputs, speed. Knows no command line."""
