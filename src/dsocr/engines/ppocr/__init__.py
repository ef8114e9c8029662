"""The engine that needs no weights: PP-OCR models from the wheels, on the CPU."""
