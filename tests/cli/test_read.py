import asyncio
import json
import os
import threading
import zipfile
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from dsocr.types import PageImage, PageResult
from tests.cli.conftest import Dsocr
from tests.fakes import FakeEngine, commands_of, pdf, png

pytestmark = pytest.mark.usefixtures("fake_engine")


def test_a_file_is_printed_as_markdown(dsocr: Dsocr, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png(["hello", "world"]))
    ran = dsocr("read", file)
    assert (ran.status, ran.out) == (0, b"hello\n\nworld\n")
    assert "1 document, 1 page" in ran.err


def test_several_files_are_printed_in_the_order_given(
    dsocr: Dsocr, tmp_path: Path, fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, second_is_read = fake_engine.recognize, asyncio.Event()

    async def second_before_first(page: PageImage, *given: Any, **named: Any) -> PageResult:
        if commands_of(page)[0].text == "first":
            await second_is_read.wait()
        result = await read(page, *given, **named)
        second_is_read.set()
        return result

    monkeypatch.setattr(fake_engine, "recognize", second_before_first)
    (tmp_path / "a.png").write_bytes(png(["first"]))
    (tmp_path / "b.png").write_bytes(png(["second"]))
    ran = dsocr("read", tmp_path / "a.png", tmp_path / "b.png")
    assert fake_engine.read == ["second", "first"]
    assert ran.out.split() == [b"first", b"second"]


def test_standard_input_is_a_document(dsocr: Dsocr) -> None:
    ran = dsocr("read", "-", stdin=pdf([["one"], ["two"]]))
    assert (ran.status, ran.out) == (0, b"one\n\n---\n\ntwo\n")


def test_a_pipe_is_a_document_when_named_and_nothing_in_a_folder(
    dsocr: Dsocr, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "a.png").write_bytes(png(["file"]))
    assert dsocr("read", tmp_path).out == b"file\n"
    writer = threading.Thread(target=lambda: pipe.write_bytes(png(["piped"])))
    writer.start()
    ran = dsocr("read", pipe)
    writer.join()
    assert (ran.status, ran.out) == (0, b"piped\n")


def test_a_folder_keeps_its_subfolders_and_a_broken_file_does_not_stop_the_others(
    dsocr: Dsocr, tmp_path: Path
) -> None:
    scans, texts = tmp_path / "scans", tmp_path / "texts"
    (scans / "2024").mkdir(parents=True)
    (scans / "a.png").write_bytes(png(["a"]))
    (scans / "2024" / "b.pdf").write_bytes(pdf([["b1"], ["b2"]]))
    (scans / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    (scans / "notes.txt").write_text("not a document")
    ran = dsocr("read", scans, "-o", texts)
    assert ran.status == 1
    assert (texts / "a.md").read_bytes() == b"a\n"
    assert (texts / "2024" / "b.md").read_bytes() == b"b1\n\n---\n\nb2\n"
    assert sorted(path.name for path in texts.rglob("*.*")) == ["a.md", "b.md"]
    assert "broken.pdf: " in ran.err
    assert "notes.txt" not in ran.err
    assert "2 documents, 3 pages" in ran.err
    assert "1 failed; 1 other file skipped" in ran.err


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("scan.jpg", b"", "empty"),
        ("corrupt.pdf", b"junk", "none of"),
        ("text.PNG", b"dear diary", "none of"),
    ],
)
def test_a_file_of_a_folder_named_as_a_document_that_is_none_has_failed(
    dsocr: Dsocr, tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / "a.png").write_bytes(png(["a"]))
    (tmp_path / name).write_bytes(content)
    (tmp_path / "notes.txt").write_text("not a document")
    ran = dsocr("read", tmp_path)
    assert (ran.status, ran.out) == (1, b"a\n")
    (message,) = [line for line in ran.err.splitlines() if f"{name}: " in line]
    assert expected in message
    assert "1 failed; 1 other file skipped" in ran.err


def test_a_named_file_that_is_not_a_document_has_failed(dsocr: Dsocr, tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("not a document")
    ran = dsocr("read", notes)
    assert (ran.status, ran.out) == (1, b"")
    assert "notes.txt: " in ran.err


def test_a_missing_file_is_reported_and_the_others_are_read(dsocr: Dsocr, tmp_path: Path) -> None:
    there = tmp_path / "there.png"
    there.write_bytes(png(["here"]))
    ran = dsocr("read", tmp_path / "gone.png", there)
    assert (ran.status, ran.out) == (1, b"here\n")
    assert "gone.png: No such file or directory" in ran.err


def test_a_failed_page_is_reported_and_the_others_are_written(dsocr: Dsocr, tmp_path: Path) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(pdf([["one"], ["@crash"], ["three"]]))
    ran = dsocr("read", file, "-o", tmp_path / "a.md")
    assert ran.status == 1
    assert "a.pdf: page 2: " in ran.err
    written = (tmp_path / "a.md").read_text()
    assert "one" in written
    assert "Page 2 could not be read" in written
    assert "three" in written


def test_a_document_whose_pages_all_failed_is_not_written(dsocr: Dsocr, tmp_path: Path) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(pdf([["@crash"], ["@crash"]]))
    ran = dsocr("read", file, "-o", tmp_path / "a.md")
    assert ran.status == 1
    assert not (tmp_path / "a.md").exists()


def test_pages_mode_and_format_options_are_applied(dsocr: Dsocr, tmp_path: Path) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(pdf([[f"p{number}"] for number in range(1, 6)]))
    ran = dsocr("read", file, "--pages", "4-,1", "--mode", "tiny", "--format", "json")
    answer = json.loads(ran.out)
    assert [page["text"] for page in answer["pages"]] == ["p4", "p5", "p1"]
    assert answer["mode"] == "tiny"


def test_the_extension_of_the_output_selects_the_format(dsocr: Dsocr, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png(["a"]))
    assert dsocr("read", file, "-o", tmp_path / "a.html").status == 0
    assert (tmp_path / "a.html").read_bytes().startswith(b"<!doctype html>")


def test_a_word_file_and_a_searchable_pdf_are_written(dsocr: Dsocr, tmp_path: Path) -> None:
    file = tmp_path / "a.pdf"
    file.write_bytes(pdf([["first"], ["second"]]))
    for name in ("b.docx", "b.pdf"):
        ran = dsocr("read", file, "-o", tmp_path / name, "--pages", "2")
        assert ran.status == 0, ran.err
    with zipfile.ZipFile(tmp_path / "b.docx") as archive:
        assert "second" in archive.read("word/document.xml").decode()
    with pikepdf.open(tmp_path / "b.pdf") as written:
        (only,) = written.pages
        only.contents_coalesce()
        assert b"(second)" in only.obj.Contents.read_bytes()


def test_matches_are_taken_out_of_the_text_and_the_pages(dsocr: Dsocr, tmp_path: Path) -> None:
    file = tmp_path / "letter.pdf"
    file.write_bytes(pdf([["Mr Smith", "writes 123"]]))
    patterns = ("--redact", "smith", "--redact", "/1\\d+/")
    ran = dsocr("read", file, *patterns)
    assert (ran.status, ran.out.decode()) == (0, "Mr █████\n\nwrites █████\n")
    assert dsocr("read", file, *patterns, "-o", tmp_path / "out.pdf").status == 0
    with pikepdf.open(tmp_path / "out.pdf") as written:
        assert "/Page" in written.pages[0].obj.Resources.XObject
        assert b"Smith" not in b"".join(
            each.read_bytes()
            for each in written.objects
            if isinstance(each, pikepdf.Stream) and each.get("/Filter") != pikepdf.Name.DCTDecode
        )
    wrong = dsocr("read", file, "--redact", "/(/")
    assert wrong.status == 2 and "pattern 1" in wrong.err


def test_a_document_without_tables_is_refused_as_a_table_file(dsocr: Dsocr, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png(["a"]))
    ran = dsocr("read", file, "-o", tmp_path / "a.xlsx")
    assert ran.status == 1
    assert "a.png has no table" in ran.err


def test_a_format_may_be_named_for_any_extension(dsocr: Dsocr, tmp_path: Path) -> None:
    file, output = tmp_path / "a.png", tmp_path / "a.rtf"
    file.write_bytes(png(["a"]))
    assert dsocr("read", file, "-o", output, "-f", "text").status == 0
    assert output.read_bytes() == b"a\n"


def test_a_folder_may_have_any_extension(dsocr: Dsocr, tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "a.png").write_bytes(png(["a"]))
    assert dsocr("read", scans, "-o", tmp_path / "texts.v2").status == 0
    assert (tmp_path / "texts.v2" / "a.md").read_bytes() == b"a\n"


def test_several_documents_as_json_are_a_line_each(dsocr: Dsocr, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(png([name, "Gr\u00f6\u00dfe"]))
    ran = dsocr("read", tmp_path / "a.png", tmp_path / "b.png", "-f", "json")
    documents = [json.loads(line) for line in ran.out.decode().split("\n")[:-1]]
    assert [document["fileName"] for document in documents] == ["a.png", "b.png"]
    assert documents[1]["text"] == "b\n\nGr\u00f6\u00dfe"


def test_a_folder_as_json_is_a_line_for_each_document_also_for_one(
    dsocr: Dsocr, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(png(["a"]))
    (line,) = dsocr("read", tmp_path, "-f", "json").out.splitlines()
    assert json.loads(line)["text"] == "a"


def test_a_name_of_standard_output_is_standard_output(dsocr: Dsocr, tmp_path: Path) -> None:
    file, link = tmp_path / "a.png", tmp_path / "link.json"
    file.write_bytes(png(["a"]))
    link.symlink_to("/proc/self/fd/1")
    if not link.exists():
        pytest.skip("this system has no /proc/self/fd")
    ran = dsocr("read", file, "-o", link)
    assert (ran.status, json.loads(ran.out)["text"]) == (0, "a")
    assert os.readlink(link) == "/proc/self/fd/1"
    assert dsocr("read", file, "-o", link, "--skip-existing").status == 2


def test_a_pipe_as_the_output_is_written_to(dsocr: Dsocr, tmp_path: Path) -> None:
    file, pipe = tmp_path / "a.png", tmp_path / "pipe.md"
    file.write_bytes(png(["a"]))
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    ran = dsocr("read", file, "-o", pipe)
    reader.join()
    assert (ran.status, got, pipe.is_fifo()) == (0, [b"a\n"], True)


def test_a_link_to_nothing_in_a_folder_is_reported(dsocr: Dsocr, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(["a"]))
    (tmp_path / "gone.pdf").symlink_to(tmp_path / "moved.pdf")
    ran = dsocr("read", tmp_path)
    assert (ran.status, ran.out) == (1, b"a\n")
    assert "gone.pdf: it is a link to a file that does not exist" in ran.err


def test_locate_takes_its_text_from_the_prompt(dsocr: Dsocr, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png(["a"]))
    ran = dsocr("read", file, "--task", "locate", "--prompt", "Total", "-f", "json")
    assert json.loads(ran.out)["prompt"] == "<image>\nLocate <|ref|>Total<|/ref|> in the image."


def test_existing_outputs_are_replaced_or_left_out(
    dsocr: Dsocr, tmp_path: Path, fake_engine: FakeEngine
) -> None:
    file, output = tmp_path / "a.png", tmp_path / "a.md"
    file.write_bytes(png(["new"]))
    output.write_text("old")
    ran = dsocr("read", file, "-o", output, "--skip-existing")
    assert (ran.status, ran.err) == (
        0,
        "Nothing to do: every output exists (1 document).\n",
    )
    assert (output.read_text(), fake_engine.started) == ("old", False)
    dsocr("read", file, "-o", output)
    assert output.read_text() == "new\n"


def test_documents_that_are_left_out_are_counted(dsocr: Dsocr, tmp_path: Path) -> None:
    scans, texts = tmp_path / "scans", tmp_path / "texts"
    scans.mkdir()
    texts.mkdir()
    for name in ("a", "b", "c"):
        (scans / f"{name}.png").write_bytes(png([name]))
    for name in ("a", "c"):
        (texts / f"{name}.md").write_text("old")
    ran = dsocr("read", scans, "-o", texts, "--skip-existing")
    assert ran.status == 0
    assert "1 document, 1 page" in ran.err
    assert "; 2 left out because the output exists." in ran.err


def test_quiet_shows_errors_only(dsocr: Dsocr, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png(["a"]))
    ran = dsocr("read", "-q", file, tmp_path / "gone.png")
    assert ran.err.count("\n") == 1
    assert "gone.png" in ran.err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--pages", "3-1"], "backwards"),
        (["--pages", "x"], "neither a page"),
        (["--mode", "huge"], "gundam"),
        (["--format", "doc"], "markdown"),
        (["--task", "locate"], "--prompt"),
        (["--task", "text", "--prompt", "Free OCR."], "--prompt"),
        (["--skip-existing"], "-o"),
        (["--dpi", "1"], "36"),
        (["--engine", "tesseract"], "ppocr"),
        (["*.nothing"], "Nothing matches"),
        (["-o", "a.png"], "not overwritten"),
        (["-o", "a.rtf"], ".md, .txt, .json"),
    ],
)
def test_a_usage_error_is_reported_before_anything_is_read(
    dsocr: Dsocr,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fake_engine: FakeEngine,
    arguments: list[str],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.png").write_bytes(png(["a"]))
    ran = dsocr("read", "a.png", *arguments)
    assert (ran.status, fake_engine.started) == (2, False)
    assert expected in ran.err


def test_several_documents_as_zip_need_a_folder(dsocr: Dsocr, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(["a"]))
    (tmp_path / "b.png").write_bytes(png(["b"]))
    ran = dsocr("read", tmp_path, "-f", "zip")
    assert ran.status == 2
    assert "-o DIR" in ran.err


def test_an_output_that_cannot_be_written_is_reported_before_anything_is_read(
    dsocr: Dsocr, tmp_path: Path, fake_engine: FakeEngine
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png(["a"]))
    (tmp_path / "taken").write_text("a file where a folder should be")
    ran = dsocr("read", file, "-o", tmp_path / "taken" / "a.md")
    assert (ran.status, fake_engine.started) == (2, False)
    assert "cannot be made" in ran.err


def test_the_engine_is_closed_at_the_end(
    dsocr: Dsocr, tmp_path: Path, fake_engine: FakeEngine
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(png(["a"]))
    dsocr("read", file)
    assert fake_engine.closed


def test_an_output_that_cannot_be_replaced_is_reported_and_leaves_no_temporary_file(
    dsocr: Dsocr, tmp_path: Path
) -> None:
    scans, texts = tmp_path / "scans", tmp_path / "texts"
    scans.mkdir()
    (scans / "a.png").write_bytes(png(["a"]))
    (scans / "b.png").write_bytes(png(["b"]))
    (texts / "a.md").mkdir(parents=True)
    ran = dsocr("read", scans, "-o", texts)
    assert ran.status == 1
    assert "a.md cannot be written" in ran.err
    assert sorted(path.name for path in texts.iterdir()) == ["a.md", "b.md"]


def test_an_unsupported_task_is_reported_once(dsocr: Dsocr, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(png(["a"]))
    ran = dsocr("read", tmp_path, "--task", "describe")
    assert ran.status == 1
    assert ran.err.count("cannot do the task describe") == 1


@pytest.mark.parametrize(("setting", "last"), [("on", "kept:as_asked"), ("off", "repetition")])
def test_a_page_that_loops_is_read_again_unless_retries_are_off(
    dsocr: Dsocr, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, last: str
) -> None:
    monkeypatch.setenv("DEEPSEEK_OCR_RETRY", setting)
    file = tmp_path / "a.png"
    file.write_bytes(png(["@loop"]))
    ran = dsocr("read", file, "--format", "json")
    (page,) = json.loads(ran.out)["pages"]
    assert (ran.status, page["finishReason"], page["flags"][-1]) == (0, "repetition", last)


def test_figures_of_markdown_are_files_beside_it(dsocr: Dsocr, tmp_path: Path) -> None:
    scan, out = tmp_path / "my scan.pdf", tmp_path / "out"
    scan.write_bytes(pdf([["one"], ["two", "@figure"]]))

    assert dsocr("read", scan, "-o", out / "my scan.md").status == 0

    text = (out / "my scan.md").read_text()
    assert text == "one\n\n---\n\ntwo\n\n![](my%20scan-images/1_0.jpg)\n"
    assert (out / "my scan-images" / "1_0.jpg").read_bytes().startswith(b"\xff\xd8")
    dsocr("read", scan, "-o", out / "embedded.md", "--figures", "embedded")
    assert "](data:image/jpeg;base64," in (out / "embedded.md").read_text()
    assert dsocr("read", scan).out.endswith(b"![](images/1_0.jpg)\n")
    assert sorted(path.name for path in out.iterdir()) == [
        *("embedded.md", "my scan-images", "my scan.md"),
    ]


def test_an_input_in_the_place_of_figures_is_not_overwritten(dsocr: Dsocr, tmp_path: Path) -> None:
    figure = tmp_path / "a-images" / "0_0.png"
    figure.parent.mkdir()
    figure.write_bytes(png(["x"]))
    ran = dsocr("read", figure, "-o", tmp_path / "a.md")
    assert ran.status == 2 and "choose another output" in ran.err


def test_the_name_of_a_failed_file_is_one_line(dsocr: Dsocr, tmp_path: Path) -> None:
    for name in (b"a\nb.png", b"a\x1b[31m.png", b"caf\xe9.png"):
        (tmp_path / os.fsdecode(name)).write_bytes(b"no image")
    ran = dsocr("read", tmp_path, "-o", tmp_path / "out")
    assert ran.status == 1
    for shown in (r"a\nb.png: ", r"a\x1b[31m.png: ", r"caf\xe9.png: "):
        assert shown in ran.err
