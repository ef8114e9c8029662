"""The neural networks: each loads one model and turns its outputs into plain values."""
