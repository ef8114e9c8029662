"""Takes a page's own text out of what search and copying find, where it is missing or wrong.

Invisible text is the output of another OCR: it is removed. Visible text is part of the page's
picture: it is drawn as before and stands for one blank. pdfium ignores an empty replacement.
"""

from __future__ import annotations

from typing import Any

from pikepdf import (
    Dictionary,
    Name,
    Object,
    Page,
    Pdf,
    parse_content_stream,
    unparse_content_stream,
)

MAX_BYTES = 16 << 20
"""Of a content stream; a longer one stays as it is."""
_INVISIBLE = 3
_SHOWS = frozenset({"Tj", "TJ", "'", '"'})
_MAX_DEPTH = 8
_BEGIN = b"/Span << /ActualText <FEFF0020> >> BDC\n"
_END = b"\nEMC\n"

Instructions = list[Any]


def has_text(page: Page) -> bool:
    """Whether the page shows any text, or has invisible text."""
    return _shows(page) or _forms_show(page.resources, _MAX_DEPTH)


def _forms_show(resources: Object, depth: int) -> bool:
    forms = (one for one in dict(resources.get("/XObject", {})).values() if _is_form(one))
    return depth > 0 and any(
        _shows(form) or _forms_show(form.get("/Resources", Dictionary()), depth - 1)
        for form in forms
    )


def _is_form(entry: Object) -> bool:
    return entry.get("/Subtype") == Name.Form


def _shows(content: Page | Object) -> bool:
    return any(str(one.operator) in _SHOWS for one in parse_content_stream(content))


def remove_text(pdf: Pdf, page: Page, cleaned: set[tuple[int, int]]) -> None:
    """`cleaned` has the forms that this was done for: several pages may use one."""
    page.contents_coalesce()
    contents = page.obj.get("/Contents")
    if contents is None:
        return
    page.obj.Contents = pdf.make_stream(_cleaned(contents))
    _clean_forms(page.resources, cleaned, _MAX_DEPTH)


def _clean_forms(resources: Object, cleaned: set[tuple[int, int]], depth: int) -> None:
    for form in dict(resources.get("/XObject", {})).values():
        if not _is_form(form) or form.objgen in cleaned or not depth:
            continue
        cleaned.add(form.objgen)
        form.write(_cleaned(form))
        if "/Resources" in form:
            _clean_forms(form.Resources, cleaned, depth - 1)


def _cleaned(stream: Object) -> bytes:
    data = bytes(stream.read_bytes())
    if len(data) > MAX_BYTES:
        return data
    kept, shows_text = _without_invisible(parse_content_stream(stream))
    written = unparse_content_stream(kept)
    return _BEGIN + written + _END if shows_text else written


def _without_invisible(instructions: Any) -> tuple[Instructions, bool]:
    """The instructions without invisible text, and whether there is visible text among them."""
    kept: Instructions = []
    mode, saved, shows_text = 0, [], False
    for instruction in instructions:
        name = str(instruction.operator)
        if name == "Tr" and instruction.operands:
            mode = int(instruction.operands[0])
        elif name == "q":
            saved.append(mode)
        elif name == "Q":
            mode = saved.pop() if saved else mode
        if name in _SHOWS:
            if mode == _INVISIBLE:
                continue
            shows_text = True
        kept.append(instruction)
    return kept, shows_text
