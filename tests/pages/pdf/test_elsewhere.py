"""PDFs whose content is not on their pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsocr.pages.sandbox import Sandbox
from dsocr.types import ATTACHED_FILES, EMBEDDED_FORM
from tests.pages import made
from tests.pages.pdf.test_file import first_page


def with_catalog(entries: str, *objects: bytes) -> bytes:
    """A page of text; `objects` are numbered from 6, `entries` stand in the catalog."""
    return made.written(
        [
            f"<< /Type /Catalog /Pages 2 0 R {entries} >>".encode(),
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            f"<< /Type /Page /Parent 2 0 R {made.LETTER} /Contents 5 0 R "
            "/Resources << /Font << /F1 4 0 R >> >> >>".encode(),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            made.stream(made.words("Please wait...", 72, 700).encode()),
            *objects,
        ]
    )


def attached(name: str) -> bytes:
    spec = f"<< /Type /Filespec /F ({name}) /UF ({name}) /EF << /F 7 0 R >> >>"
    names = "/Names << /EmbeddedFiles << /Names [(file) 6 0 R] >> >>"
    return with_catalog(names, spec.encode(), made.stream(b"content", b"/Type /EmbeddedFile "))


@pytest.mark.parametrize("entry", ["/NeedsRendering true", ""])
async def test_an_xfa_form_is_flagged(tmp_path: Path, sandbox: Sandbox, entry: str) -> None:
    form = with_catalog(f"/AcroForm << /Fields [] /XFA 6 0 R >> {entry}", made.stream(b"<xdp/>"))
    page = await first_page(tmp_path, form, sandbox)
    assert page.flags == (EMBEDDED_FORM,)


@pytest.mark.parametrize("name", ["letter.pdf", "SUMS.XLSX", "scan.tif", "notes.txt"])
async def test_a_pdf_with_attached_documents_is_flagged(
    tmp_path: Path, sandbox: Sandbox, name: str
) -> None:
    page = await first_page(tmp_path, attached(name), sandbox)
    assert page.flags == (ATTACHED_FILES,)


async def test_data_attached_for_programs_is_not_flagged(tmp_path: Path, sandbox: Sandbox) -> None:
    page = await first_page(tmp_path, attached("factur-x.xml"), sandbox)
    assert page.flags == ()
