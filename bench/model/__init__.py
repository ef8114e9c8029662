"""The model at its released size with random weights, its passes timed and checked one by one."""
