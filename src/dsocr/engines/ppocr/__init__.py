"""The engine that needs no weights: PP-OCR on the CPU, with models that come as packages."""
