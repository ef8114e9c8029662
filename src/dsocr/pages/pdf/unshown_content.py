"""PDFs whose pages do not show their content: XFA forms and files with documents attached."""

from __future__ import annotations

import ctypes

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from dsocr.types import ATTACHED_FILES, EMBEDDED_FORM

_OFFICE = (".doc", ".docx", ".odt", ".rtf", ".xls", ".xlsx", ".ods", ".ppt", ".pptx")
_TEXTS = (".txt", ".csv", ".md", ".htm", ".html", ".eml", ".msg")
_DOCUMENTS = (*_OFFICE, *_TEXTS, ".pdf", ".tif", ".tiff", ".png", ".jpg", ".jpeg", ".zip")
_MAX_ATTACHMENTS = 1000


def unshown_content(pdf: pdfium.PdfDocument) -> tuple[str, ...]:
    """The flags of a document that has more than its pages show."""
    flags = []
    if _is_xfa_alone(pdf):
        flags.append(EMBEDDED_FORM)
    count = min(_MAX_ATTACHMENTS, pdfium_c.FPDFDoc_GetAttachmentCount(pdf))
    if any(_is_document(pdf, index) for index in range(count)):
        flags.append(ATTACHED_FILES)
    return tuple(flags)


def _is_xfa_alone(pdf: pdfium.PdfDocument) -> bool:
    """Whether it is an XFA form whose pages show another text: they are to be made from the form,
    or have none of its fields."""
    kind = pdfium_c.FPDF_GetFormType(pdf)
    if kind == pdfium_c.FORMTYPE_XFA_FOREGROUND:
        return not _has_fields(pdf)
    return bool(kind == pdfium_c.FORMTYPE_XFA_FULL)


def _has_fields(pdf: pdfium.PdfDocument) -> bool:
    """Whether its first page has form fields."""
    page = pdfium_c.FPDF_LoadPage(pdf, 0)
    if not page:
        return False
    try:
        found = False
        for index in range(pdfium_c.FPDFPage_GetAnnotCount(page)):
            annotation = pdfium_c.FPDFPage_GetAnnot(page, index)
            found = found or (
                pdfium_c.FPDFAnnot_GetSubtype(annotation) == pdfium_c.FPDF_ANNOT_WIDGET
            )
            pdfium_c.FPDFPage_CloseAnnot(annotation)
        return found
    finally:
        pdfium_c.FPDF_ClosePage(page)


def _is_document(pdf: pdfium.PdfDocument, index: int) -> bool:
    """Whether the attachment is for people to read; invoices have one for programs (XML)."""
    attachment = pdfium_c.FPDFDoc_GetAttachment(pdf, index)
    return bool(attachment) and _name(attachment).lower().endswith(_DOCUMENTS)


def _name(attachment: object) -> str:
    size = pdfium_c.FPDFAttachment_GetName(attachment, None, 0)
    buffer = ctypes.create_string_buffer(size)
    wide = ctypes.cast(buffer, ctypes.POINTER(pdfium_c.FPDF_WCHAR))
    pdfium_c.FPDFAttachment_GetName(attachment, wide, size)
    return buffer.raw.decode("utf-16-le", "replace").rstrip("\0")
