"""Triton kernels, each beside the plain PyTorch function that computes the same. They take tensors
and know no sequences, pages or weights files."""
