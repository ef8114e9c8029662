"""DeepSeek-OCR as an engine: prompts, modes, the raw output grammar, and the native engine."""
