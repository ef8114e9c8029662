"""`dsocr batch` as a script runs it: exit statuses, messages, JSON, retries."""

import itertools
import json
import os
import re
import signal
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pikepdf
import pytest

from dsocr.batch.workspace.stores.store import open_store
from dsocr.batch.workspace.worker import Counts
from dsocr.cli.batch import display
from dsocr.cli.batch.watched_folders import WatchedFolders
from tests.cli.conftest import Dsocr
from tests.fakes import FakeEngine, pdf, png
from tests.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.usefixtures("fake_engine")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "a.png").write_bytes(png(["alpha"]))
    (folder / "b.pdf").write_bytes(pdf([["beta"], ["gamma"]]))
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "work"


def test_a_folder_is_planned_read_verified_and_exported(
    dsocr: Dsocr, scans: Path, work: Path, tmp_path: Path
) -> None:
    (scans / "notes.txt").write_text("no document")
    planned = dsocr("batch", "plan", work, scans)
    assert (planned.status, planned.out) == (
        0,
        b"2 documents planned, 0 known, 0 duplicates, 1 not supported.\n",
    )
    for command in ("status", "verify", "retry"):
        assert dsocr("batch", command, work).status == 5
    assert dsocr("batch", "export", work, "-o", tmp_path / "none").status == 5

    ran = dsocr("batch", "run", work)

    assert ran.status == 0
    assert b"2 of 2 documents done\n3 pages done, 0 flagged\n0 failed" in ran.out
    assert "Engine: fake" in ran.err
    for command in ("status", "verify", "run"):
        assert dsocr("batch", command, work).status == 0
    assert dsocr("batch", "retry", work).out == b"0 documents to read again.\n"
    out = tmp_path / "out"
    done = dsocr("batch", "export", work, "-o", out, "-f", "text")
    assert (done.status, done.out) == (0, b"2 documents written, 0 failed, 0 not read yet.\n")
    assert (out / "b.pdf.txt").read_text().split() == ["beta", "gamma"]


def test_the_reports_are_json_for_scripts(dsocr: Dsocr, scans: Path, work: Path) -> None:
    planned = json.loads(dsocr("batch", "plan", work, scans, "--json").out)
    assert planned == {"documents": 2, "known": 0, "duplicates": 0, "unsupported": 0}
    before = dsocr("batch", "verify", work, "--json")
    assert not json.loads(before.out)["complete"]

    ran = json.loads(dsocr("batch", "run", work, "--json", "--quiet").out)

    assert (ran["complete"], ran["documents_done"], ran["pages_done"]) == (True, 2, 3)
    assert json.loads(dsocr("batch", "status", work, "--json").out) == ran
    assert json.loads(dsocr("batch", "verify", work, "--json").out) == {
        "complete": True,
        "problems": [],
    }


def test_failed_pages_are_listed_and_read_again_by_a_retry(
    dsocr: Dsocr, scans: Path, work: Path, tmp_path: Path
) -> None:
    (scans / "b.pdf").write_bytes(pdf([["beta"], ["@crash"]]))
    (scans / "broken.png").write_bytes(png(["x"])[:60])
    dsocr("batch", "plan", work, scans)
    ran = dsocr("batch", "run", work)
    assert ran.status == 3
    assert "b.pdf: page 2: " in ran.err
    listed = dsocr("batch", "status", work, "--failures")
    assert listed.status == 3
    assert b"b.pdf: page 2: engine_crash: " in listed.out
    assert b"broken.png" in listed.out
    values = json.loads(dsocr("batch", "status", work, "--json").out)
    assert {(one["code"], one["page"]) for one in values["failures"]} >= {("engine_crash", 2)}
    (scans / "b.pdf").write_bytes(pdf([["beta"], ["delta"]]))

    again = dsocr("batch", "retry", work, "--code", "engine_crash")

    assert (again.status, again.out) == (0, b"1 document to read again.\n")
    assert dsocr("batch", "status", work).status == 5
    assert dsocr("batch", "run", work, "-q").status == 3  # the broken image
    assert dsocr("batch", "verify", work).status == 3
    assert dsocr("batch", "export", work, "-o", tmp_path / "out").status == 0
    assert (tmp_path / "out" / "b.pdf.md").read_text() == "beta\n\n---\n\ndelta\n"


def test_the_error_budget_stops_the_run(dsocr: Dsocr, scans: Path, work: Path) -> None:
    (scans / "b.pdf").write_bytes(pdf([["@oom"]] * 3))
    dsocr("batch", "plan", work, scans)
    ran = dsocr("batch", "run", work, "--max-errors", "1")
    assert ran.status == 4
    assert "more than --max-errors allows" in ran.err
    assert dsocr("batch", "run", work, "--max-errors", "many").status == 2
    assert dsocr("batch", "run", work).status == 3


def test_a_missing_document_of_a_shard_is_found(dsocr: Dsocr, scans: Path, work: Path) -> None:
    dsocr("batch", "plan", work, scans)
    dsocr("batch", "run", work)
    shard = sorted((work / "shards").iterdir())[1]
    shard.write_bytes(b"\n".join(shard.read_bytes().splitlines()[:-1]) + b"\n")
    ran = dsocr("batch", "verify", work)
    assert ran.status == 5
    assert b"page 2: 0 records instead of 1" in ran.out


def test_inputs_are_taken_from_a_list(dsocr: Dsocr, scans: Path, work: Path) -> None:
    (scans / "list").write_text(f"{scans / 'a.png'}\n\n{scans / 'b.pdf'}\n")
    assert dsocr("batch", "plan", work, "--from", scans / "list").out.startswith(b"2 documents")
    assert dsocr("batch", "plan", work).status == 2
    assert dsocr("batch", "plan", work, "--from", scans / "none").status == 2


def test_wrong_workspaces_and_options_are_refused(
    dsocr: Dsocr, scans: Path, work: Path, tmp_path: Path
) -> None:
    assert dsocr("batch", "run", work).status == 1
    assert dsocr("batch", "plan", work, scans / "none.pdf").status == 2
    assert dsocr("batch", "plan", "ftp://host/x", scans).status == 1
    assert dsocr("batch", "plan", work, scans, "--pages", "x").status == 2
    assert dsocr("batch", "plan", work, scans).status == 0
    other = dsocr("batch", "plan", work, scans, "--dpi", "100")
    assert other.status == 1
    assert "other options" in other.err
    assert dsocr("batch", "export", work, "-o", scans / "a.png").status == 2
    assert dsocr("batch", "export", work, "-o", tmp_path, "--redact", "/(/").status == 2


def test_a_run_on_ray_says_that_ray_is_missing(
    dsocr: Dsocr, scans: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    dsocr("batch", "plan", work, scans)
    ran = dsocr("batch", "run", work, "--ray", "--quiet")
    assert (ran.status, ran.out) == (1, b"")
    assert "pip install 'dsocr[ray]'" in ran.err
    assert dsocr("batch", "run", work, "--ray", "--watch", scans).status == 2


def test_an_export_has_the_options_of_other_exports(
    dsocr: Dsocr, scans: Path, work: Path, tmp_path: Path
) -> None:
    dsocr("batch", "plan", work, scans)
    dsocr("batch", "run", work)
    out = tmp_path / "out"
    given = ("-o", out, "--breaks", "comment", "--frontmatter", "--redact", "gamma")
    assert dsocr("batch", "export", work, *given).status == 0
    text = (out / "b.pdf.md").read_text()
    assert text.startswith("---\n") and "<!-- page 2 -->" in text
    assert "beta" in text and "gamma" not in text
    assert dsocr("batch", "export", work, *given, "-f", "zip").status == 0
    with zipfile.ZipFile(out / "b.pdf.zip") as archive:
        assert all(b"gamma" not in archive.read(name) for name in archive.namelist())


@pytest.mark.slow
def test_an_encrypted_document_is_read_and_exported_with_its_password(
    dsocr: Dsocr, scans: Path, work: Path, tmp_path: Path
) -> None:
    with pikepdf.open(scans / "b.pdf") as source:
        source.save(scans / "c.pdf", encryption=pikepdf.Encryption(user="open", owner="all"))
    dsocr("batch", "plan", work, scans)
    assert dsocr("batch", "run", work).status == 3
    dsocr("batch", "retry", work)
    assert dsocr("batch", "run", work, "--password", "open").status == 0
    given = ("batch", "export", work, "-o", tmp_path / "out", "-f", "pdf")
    assert dsocr(*given).status == 3
    assert dsocr(*given, "--password", "open").status == 0
    with pikepdf.open(tmp_path / "out" / "c.pdf.pdf") as made:
        assert len(made.pages) == 2
    assert b"open" not in b"".join(path.read_bytes() for path in work.rglob("*.json*"))


def test_a_watched_folder_is_read_until_the_command_is_interrupted(
    dsocr: Dsocr,
    work: Path,
    tmp_path: Path,
    fake_engine: FakeEngine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "first.png").write_bytes(png(["first"]))
    dsocr("batch", "plan", work, inbox)
    (inbox / "second.png").write_bytes(png(["second"]))
    monkeypatch.setattr("dsocr.batch.workspace.feed.WATCH_SECONDS", 0.0)
    monkeypatch.setattr("dsocr.batch.workspace.feed.POLL_SECONDS", 0.01)
    monkeypatch.setattr(
        "dsocr.batch.workspace.worker._Tracker.document_done",
        _interrupting(after=2),
    )

    ran = dsocr("batch", "run", work, "--watch", inbox)

    assert ran.status == 130
    assert sorted(fake_engine.read) == ["first", "second"]
    assert list((work / "workers").iterdir()) == []
    assert dsocr("batch", "status", work).status == 0


def test_watched_folder_that_does_not_exist_is_a_usage_error(
    dsocr: Dsocr, scans: Path, work: Path, tmp_path: Path, fake_engine: FakeEngine
) -> None:
    dsocr("batch", "plan", work, scans)

    ran = dsocr("batch", "run", work, "--watch", tmp_path / "nowhere")

    assert ran.status == 2
    assert fake_engine.read == []


def test_file_that_changes_between_two_scans_is_not_taken_yet(tmp_path: Path) -> None:
    inbox, work = tmp_path / "inbox", tmp_path / "work"
    inbox.mkdir()
    store = open_store(str(work))
    watched = WatchedFolders(store, [str(inbox)], None)
    scan = inbox / "scan.png"
    scan.write_bytes(png(["text"]))
    watched.scan()
    os.utime(scan, ns=(1, 1))  # written again at the same size
    watched.scan()
    assert store.keys("plan/") == []
    watched.scan()
    assert len(store.keys("plan/")) == 1


def test_progress_of_a_watched_folder_has_no_total(capsys: pytest.CaptureFixture[str]) -> None:
    shown = display.BatchDisplay(None, quiet=False, bar=None)
    shown._began = 0.0
    shown.page_done(Counts(documents=2))
    shown.write_line()
    assert "2 documents, 0.00 pages/s, 0 flagged, 0 failed" in capsys.readouterr().err


def test_progress_has_the_sums_of_drafts(capsys: pytest.CaptureFixture[str]) -> None:
    shown = display.BatchDisplay(None, quiet=False, bar=None)
    shown._began = 0.0
    shown.page_done(Counts(drafted=500, accepted=300))
    shown.write_line()
    assert "0 failed, 300 of 500 drafted tokens accepted" in capsys.readouterr().err


def test_a_log_gets_lines_of_progress_while_a_page_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(display, "LINE_SECONDS", 0.001)
    written = threading.Event()
    with display.batch_display(3, quiet=False) as shown:
        write = shown.write_line
        monkeypatch.setattr(shown, "_print", lambda line: (written.set(), print(line)))
        shown._began = 0.0
        write()
        assert written.wait(DEADLINE_SECONDS)
    assert "0 of 3 documents, 0.00 pages/s, 0 flagged, 0 failed" in capsys.readouterr().out


def _interrupting(after: int) -> Callable[[object], None]:
    """Stands in for `document_done`: interrupts once so many documents are done."""
    documents = itertools.count(1)

    def done(tracker: object) -> None:
        if next(documents) == after:
            signal.raise_signal(signal.SIGINT)

    return done


def test_exported_markdown_has_its_figures_beside_it(
    dsocr: Dsocr, scans: Path, work: Path, tmp_path: Path
) -> None:
    (scans / "b.pdf").write_bytes(pdf([["beta"], ["gamma", "@figure"]]))
    dsocr("batch", "plan", work, scans)
    dsocr("batch", "run", work, "-q")
    out = tmp_path / "out"
    assert dsocr("batch", "export", work, "-o", out).status == 0
    text = (out / "b.pdf.md").read_text()
    assert text.endswith("gamma\n\n![](b.pdf-images/1_0.jpg)\n")
    assert [path.name for path in (out / "b.pdf-images").iterdir()] == ["1_0.jpg"]
    assert not (out / "a.png-images").exists()
    (scans / "b.pdf").unlink()

    again = dsocr("batch", "export", work, "-o", tmp_path / "again")

    assert again.status == 3
    assert "its text was written without its figures" in again.err
    assert (tmp_path / "again" / "b.pdf.md").read_text().startswith("beta\n")


def test_failures_of_files_with_line_ends_in_their_names_are_a_line_each(
    dsocr: Dsocr, scans: Path, work: Path
) -> None:
    (scans / "one\ntwo.png").write_bytes(png(["x"])[:60])
    dsocr("batch", "plan", work, scans)
    assert r"one\ntwo.png: " in dsocr("batch", "run", work).err
    listed = dsocr("batch", "status", work, "--failures").out.decode().splitlines()
    assert [line for line in listed if "scans" in line] == [listed[-1]]
    assert r"/one\ntwo.png: " in listed[-1]


@pytest.mark.parametrize("shards", ["jsonl", "parquet"])
def test_a_damaged_shard_is_found_and_read_again(
    dsocr: Dsocr, scans: Path, work: Path, tmp_path: Path, shards: str
) -> None:
    dsocr("batch", "plan", work, scans, "--shards", shards)
    dsocr("batch", "run", work, "-q")
    shard = sorted((work / "shards").iterdir())[1]
    whole = shard.read_bytes()
    for content in (whole[:-40], whole[40:], b"", b"\xff" * 300, b"{}\n", b"[1]\n"):
        shard.write_bytes(content)
        verified = dsocr("batch", "verify", work)
        assert verified.status == 5
        assert f"group {shard.stem}: " in verified.out.decode()
        assert "delete shards/GROUP.* and done/GROUP.json" in verified.err
        exported = dsocr("batch", "export", work, "-o", tmp_path / "out")
        assert exported.status == 3
        assert re.search(r"b\.pdf: .*(is broken|has no record)", exported.err)
        assert (tmp_path / "out" / "a.png.md").read_text() == "alpha\n"
    summary = work / "done" / f"{shard.stem}.json"
    shard.unlink()
    summary.unlink()

    assert dsocr("batch", "run", work, "-q").status == 0

    assert shard.read_bytes() == whole
    summary.write_text("{")
    assert dsocr("batch", "status", work).status == 0
    assert json.loads(summary.read_text())["pages"] == 2
