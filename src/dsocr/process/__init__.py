"""Child processes: start, limits, supervision, restart. Knows nothing of what they compute."""
