"""The repetition check on generated and real texts."""
