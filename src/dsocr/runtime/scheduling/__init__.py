"""Which sequence runs in the next step, and how pages become sequences."""
