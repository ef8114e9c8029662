"""DeepSeek-OCR as an engine: prompts, modes, the raw grammar, and the engines that speak it."""
