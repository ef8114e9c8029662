"""OCRmyPDF plugin: recognizes pages with dsocr, in this process or through a running service.

Installed, it is the engine of `--ocr-engine auto`; `--ocr-engine tesseract` takes Tesseract.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from ocrmypdf import hookimpl
from ocrmypdf.exceptions import BadArgsError, MissingDependencyError

from dsocr.errors import DsocrError
from ocrmypdf_dsocr.engine import DsocrOcrEngine, source_of
from ocrmypdf_dsocr.readers import check_source


@hookimpl  # type: ignore[untyped-decorator]
def add_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("dsocr", "The dsocr OCR engine")
    group.add_argument(
        "--dsocr-url",
        metavar="URL",
        default=None,
        help="URL of a running dsocr service that recognizes the pages. Without it the engine runs "
        "in this process. Default: DSOCR_URL.",
    )
    group.add_argument(
        "--dsocr-key",
        metavar="KEY",
        default=None,
        help="Key of that service. Prefer the variable DSOCR_KEY: other users of this machine can "
        "see a command line.",
    )
    group.add_argument(
        "--dsocr-engine",
        choices=["auto", "native", "ppocr"],
        default=None,
        help="The engine in this process. auto takes the native one if its weights and torch are "
        "there, else ppocr. Default: DEEPSEEK_OCR_ENGINE, else auto.",
    )


@hookimpl  # type: ignore[untyped-decorator]
def check_options(options: Any) -> None:
    """Raises `BadArgsError` for options that exclude each other, `MissingDependencyError` if the
    service does not answer."""
    if not _is_chosen(options):
        return
    source = source_of(options)
    if source.url and source.engine:
        raise BadArgsError(
            "--dsocr-url and --dsocr-engine exclude each other: the service has its own engine."
        )
    try:
        check_source(source)
    except DsocrError as error:
        raise MissingDependencyError(error.message) from error


@hookimpl  # type: ignore[untyped-decorator]
def get_ocr_engine(options: Any = None) -> DsocrOcrEngine | None:
    return DsocrOcrEngine() if _is_chosen(options) else None


def _is_chosen(options: Any) -> bool:
    """Versions of OCRmyPDF before 17 have no option for it."""
    return getattr(options, "ocr_engine", "auto") == "auto"
