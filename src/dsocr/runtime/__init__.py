"""Our own PyTorch inference of DeepSeek-OCR; knows tokens and tensors, nothing of documents."""
