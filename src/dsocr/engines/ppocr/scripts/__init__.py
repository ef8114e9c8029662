"""Lines in scripts that PP-OCR does not know, recognized by Tesseract's LSTM networks."""
