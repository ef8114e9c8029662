"""Page images for benchmarks, their tables as grids, and results drawn on them."""
