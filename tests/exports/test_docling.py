from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from dsocr.exports import render
from tests.exports.documents import document
from tests.exports.samples import CHINESE, block, made, report

LOAD = """
import sys
from docling_core.types.doc import DoclingDocument
from docling_core.types.doc.document import DocTagsDocument, DocTagsPage
whole = DoclingDocument.model_validate_json(open(sys.argv[1]).read())
pages = open(sys.argv[2]).read().split("<page_break>")
tags = DoclingDocument.load_from_doctags(
    DocTagsDocument(pages=[DocTagsPage(tokens=page) for page in pages])
)
assert len(whole.pages) == 3, whole.pages
assert whole.tables[0].data.grid[0][2].text == "Sales"
assert whole.pictures[0].captions[0].resolve(whole).text.startswith("Figure 1")
assert [len(each.tables) for each in (whole, tags)] == [2, 2]
assert "A Report" in whole.export_to_markdown() and "A Report" in tags.export_to_markdown()
"""
HOCR = """
import sys
from ocrmypdf.hocrtransform.hocr_parser import HocrParser
page = HocrParser(sys.argv[1]).parse()
words = [word.text for par in page.children for line in par.children for word in line.children]
assert words[:2] == ["A", "Report"] and words[-1] == "blocks", words
"""


@pytest.fixture(scope="module")
def docling() -> Any:
    return json.loads(render(report(), "docling"))


def resolved(docling: Any, reference: dict[str, str]) -> Any:
    _, name, number = reference["$ref"].split("/")
    return docling[name][int(number)]


def test_the_body_lists_every_item_in_reading_order(docling: Any) -> None:
    items = [resolved(docling, each) for each in docling["body"]["children"]]
    labels = [item["label"] for item in items]
    page = ["text", "list", "formula", "table", "picture", "caption", "text", "text"]
    failed = ["text"]  # the last page says why it was not read
    assert labels == ["title", *page, "section_header", *page, *failed]
    assert docling["schema_name"] == "DoclingDocument" and len(docling["pages"]) == 3
    assert items[8]["text"] == CHINESE
    assert items[-1]["text"].startswith("Page 3 could not be read: ")


def test_a_numbered_list_after_bullets_is_a_list_of_its_own() -> None:
    pages = document(made(block("list", "- one\n- two\n1. first\n2. second", 0.1, 0.3)))
    groups = json.loads(render(pages, "docling"))["groups"]
    assert [(each["label"], len(each["children"])) for each in groups] == [
        ("list", 2),
        ("ordered_list", 2),
    ]
    tags = render(pages, "doctags").decode()
    assert tags.index("</unordered_list>") < tags.index("<ordered_list>")


def test_references_lead_to_the_items_that_name_them(docling: Any) -> None:
    for name in ("groups", "texts", "tables", "pictures"):
        for number, item in enumerate(docling[name]):
            assert item["self_ref"] == f"#/{name}/{number}"
            parent = item["parent"]["$ref"]
            owner = docling["body"] if parent == "#/body" else resolved(docling, item["parent"])
            assert {"$ref": item["self_ref"]} in owner["children"]
    captions = [resolved(docling, each["captions"][0])["text"] for each in docling["pictures"]]
    assert captions == ["Figure 1: A [red] square."] * 2


def test_items_have_their_pages_and_boxes(docling: Any) -> None:
    (table, _) = docling["tables"]
    assert table["prov"][0]["page_no"] == 1 and table["prov"][0]["bbox"]["l"] == 90
    assert table["data"]["num_rows"] == 2 and table["data"]["num_cols"] == 3
    assert table["data"]["table_cells"][1]["col_span"] == 2


def test_doctags_have_places_tables_and_breaks() -> None:
    text = render(report(), "doctags").decode()
    assert "<title><loc_50><loc_25><loc_450><loc_40>A Report</title>" in text
    assert "<ched>Year<ched>Sales<lcel><nl><fcel>2023<fcel>1,5<fcel>a | b<nl>" in text
    assert text.count("<page_break>") == 2
    opened = re.findall(r"<([a-z_0-9]+)>", text)
    closed = re.findall(r"</([a-z_0-9]+)>", text)
    assert all(opened.count(tag) == closed.count(tag) for tag in closed)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "script", "formats"),
    [("docling-core", LOAD, ("docling", "doctags")), ("ocrmypdf", HOCR, ("hocr",))],
)
def test_other_programs_read_the_files(
    tmp_path: Path, package: str, script: str, formats: tuple[str, ...]
) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    install = [python, "-m", "pip", "install", "-q", package]
    if subprocess.run(install, capture_output=True, timeout=400).returncode:
        pytest.skip(f"{package} cannot be installed here")
    files = [tmp_path / format for format in formats]
    for file in files:
        file.write_bytes(render(report(), file.name))
    subprocess.run([python, "-c", script, *files], check=True, timeout=300)
