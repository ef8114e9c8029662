"""Programs of other environments; tests run them, nothing imports them."""
