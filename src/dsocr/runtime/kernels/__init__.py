"""Triton kernels, each beside the plain PyTorch that computes the same. Knows tensors only."""
