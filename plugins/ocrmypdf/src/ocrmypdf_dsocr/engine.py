"""The OCR engine that OCRmyPDF calls, page by page, in threads or processes of its own."""

from __future__ import annotations

import logging
import os
from collections.abc import Set
from pathlib import Path
from typing import Any

from ocrmypdf.exceptions import SubprocessOutputError
from ocrmypdf.pluginspec import OcrEngine, OrientationConfidence

import dsocr
from dsocr.errors import DsocrError
from dsocr.types import Document
from ocrmypdf_dsocr.files import hocr_of, text_layer_of, text_of
from ocrmypdf_dsocr.languages import LANGUAGES, codes_of
from ocrmypdf_dsocr.orientation import orientation_of
from ocrmypdf_dsocr.readers import Source, reader_of
from ocrmypdf_dsocr.skew import skew_of_file

log = logging.getLogger(__name__)


class DsocrOcrEngine(OcrEngine):
    """Recognizes a page image; what OCRmyPDF makes of it, hOCR or a PDF, has the same words."""

    @staticmethod
    def version() -> str:
        return dsocr.__version__

    @staticmethod
    def creator_tag(options: Any) -> str:
        return f"dsocr {dsocr.__version__}"

    def __str__(self) -> str:
        return f"dsocr {dsocr.__version__}"

    @staticmethod
    def languages(options: Any) -> Set[str]:
        """The codes of `-l`: those of Tesseract, and ISO 639-1, -2 and -3."""
        return frozenset(LANGUAGES)

    @staticmethod
    def get_orientation(input_file: Path, options: Any) -> OrientationConfidence:
        """By how the lines that were read follow each other; without certainty 0."""
        [page] = _read(input_file, options).pages
        angle, confidence = orientation_of(page)
        return OrientationConfidence(angle, confidence)

    @staticmethod
    def get_deskew(input_file: Path, options: Any) -> float:
        """Degrees by which the image is turned to the left to level its lines."""
        return skew_of_file(input_file)

    @staticmethod
    def generate_hocr(input_file: Path, output_hocr: Path, output_text: Path, options: Any) -> None:
        document = _read(input_file, options)
        output_hocr.write_bytes(hocr_of(document))
        output_text.write_text(text_of(document), encoding="utf-8")

    @staticmethod
    def generate_pdf(input_file: Path, output_pdf: Path, output_text: Path, options: Any) -> None:
        document = _read(input_file, options)
        output_pdf.write_bytes(text_layer_of(document, input_file))
        output_text.write_text(text_of(document), encoding="utf-8")


def source_of(options: Any) -> Source:
    """Where pages are read, by the options, else by the environment."""
    engine = getattr(options, "dsocr_engine", None)
    url = getattr(options, "dsocr_url", None) or ("" if engine else os.environ.get("DSOCR_URL", ""))
    key = getattr(options, "dsocr_key", None) or os.environ.get("DSOCR_KEY", "")
    return Source(url, key if url else "", engine or "")


def _read(image: Path, options: Any) -> Document:
    """The page. One that cannot be recognized has no text, as with Tesseract's timeout; without an
    engine or a service the run ends with `SubprocessOutputError`."""
    languages = codes_of(getattr(options, "languages", None) or ())
    try:
        document = reader_of(source_of(options)).read(image, languages)
    except DsocrError as error:
        raise SubprocessOutputError(f"dsocr: {error.message}") from error
    failure = document.pages[0].error
    if failure is not None:
        log.error("The page was not recognized and gets no text: %s", failure.message)
    return document
