"""One tower or decoder a file, and one file a family that wires the parts."""
