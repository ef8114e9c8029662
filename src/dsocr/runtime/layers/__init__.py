"""What several models share: norms, rotary positions, attention, experts."""
