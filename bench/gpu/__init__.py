"""Speed of the native runtime and engine on a GPU, row by row, beside other implementations."""
