"""Text and token ids: tokenizer, prompts, the no-repeat rule, repetition detection."""
