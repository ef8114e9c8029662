import os
from pathlib import Path

import pytest

from dsocr.batch.inputs import gather, plan_outputs
from dsocr.errors import BadRequest


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def below(root: Path, *paths: str) -> list[str]:
    return [str(entry.below) for entry in gather([str(root / path) for path in paths])]


def test_a_folder_is_walked_in_the_order_people_count(tmp_path: Path) -> None:
    touch(tmp_path, "page10.png", "page2.png", "B/1.pdf", "a/1.pdf")
    assert below(tmp_path, ".") == ["page2.png", "page10.png", "a/1.pdf", "B/1.pdf"]


def test_hidden_files_are_left_out_of_a_folder_but_read_when_named(tmp_path: Path) -> None:
    touch(tmp_path, ".cache/x.png", ".y.png", "z.png")
    assert below(tmp_path, ".") == ["z.png"]
    assert below(tmp_path, ".y.png") == [".y.png"]


def test_a_link_that_leads_in_a_circle_is_not_followed(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.png")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert below(tmp_path, ".") == ["a/x.png"]


def test_a_pattern_keeps_the_folders_below_its_fixed_part(tmp_path: Path) -> None:
    touch(tmp_path, "s/a/1.pdf", "s/b/2.pdf", "s/b/3.png")
    assert below(tmp_path, "s/**/*.pdf") == ["a/1.pdf", "b/2.pdf"]
    assert below(tmp_path, "s/b/*") == ["2.pdf", "3.png"]
    assert below(tmp_path, "s/[ab]/*.pdf") == ["a/1.pdf", "b/2.pdf"]


def test_a_pattern_works_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "scan1.png", "scan2.png")
    monkeypatch.chdir(tmp_path)
    assert [str(entry.path) for entry in gather(["scan?.png"])] == ["scan1.png", "scan2.png"]


def test_a_name_that_looks_like_a_pattern_is_a_name_when_it_is_there(tmp_path: Path) -> None:
    touch(tmp_path, "a[1].png")
    assert below(tmp_path, "a[1].png") == ["a[1].png"]


def test_a_pattern_that_matches_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="Nothing matches"):
        gather([str(tmp_path / "*.pdf")])


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    assert below(tmp_path, "a.png", ".") == ["a.png"]


def test_outputs_within_the_folder_are_not_inputs(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "out/b.png")
    entries = gather([str(tmp_path)], leave_out=tmp_path / "out")
    assert [str(entry.below) for entry in entries] == ["a.png"]


def planned(root: Path, paths: list[str], output: str) -> list[str]:
    inputs = gather([str(root / path) for path in paths])
    targets = plan_outputs(inputs, root / output, "md")
    return [str(target.relative_to(root)) for target in targets]


def test_a_folder_goes_to_a_folder_of_the_same_shape(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.png", "in/b/c.pdf")
    assert planned(tmp_path, ["in"], "out") == ["out/a.md", "out/b/c.md"]


def test_one_file_goes_to_the_file_named_or_into_the_folder_there(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    assert planned(tmp_path, ["a.png"], "x.md") == ["x.md"]
    (tmp_path / "out").mkdir()
    assert planned(tmp_path, ["a.png"], "out") == ["out/a.md"]


def test_files_that_differ_in_their_ending_keep_it(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.png", "in/a.pdf", "in/b.pdf")
    assert planned(tmp_path, ["in"], "out") == ["out/a.pdf.md", "out/a.png.md", "out/b.md"]


def test_two_inputs_for_one_output_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.png", "y/a.png")
    with pytest.raises(BadRequest, match="all be written"):
        planned(tmp_path, ["x", "y"], "out")


def test_several_documents_into_one_file_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.png", "out.md")
    with pytest.raises(BadRequest, match="folder"):
        planned(tmp_path, ["a.png", "b.png"], "out.md")


@pytest.mark.parametrize("linked", [False, True])
def test_an_input_is_never_an_output(tmp_path: Path, linked: bool) -> None:
    touch(tmp_path, "a.md")
    output = "a.md"
    if linked:
        output = "link.md"
        os.symlink(tmp_path / "a.md", tmp_path / output)
    with pytest.raises(BadRequest, match="not overwritten"):
        planned(tmp_path, ["a.md"], output)
