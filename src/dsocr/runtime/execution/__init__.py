"""One step on the device: eager or as CUDA graphs, sampling, memory."""
