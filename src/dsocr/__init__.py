"""dsocr: images and PDFs in, markdown with boxes out, on the DeepSeek-OCR model."""

__version__ = "0.1.0.dev0"
