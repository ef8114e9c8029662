"""OCRmyPDF with the OCR of dsocr. `plugin` has what OCRmyPDF calls."""
