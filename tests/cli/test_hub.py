import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from dsocr.cli import hub
from dsocr.errors import DiskFull
from tests.cli.stand_in_hub import COMMIT, REPO, StandInHub, serving

WEIGHTS = bytes(range(256)) * 1000
FILES = {
    "config.json": b'{"model_type": "deepseek_vl_v2"}',
    "tokenizer.json": b"{}" * 50,
    "model-00001-of-000001.safetensors": WEIGHTS,
    "README.md": b"# model",
    "modeling_deepseekocr.py": b"import os",
    "assets/show1.jpg": b"jpg",
}
SHARD = "model-00001-of-000001.safetensors"


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandInHub]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_TOKEN_PATH", "/nonexistent")
    with serving(StandInHub(dict(FILES))) as stand_in:
        yield stand_in


def download(stand_in: StandInHub, folder: Path) -> list[bool]:
    snapshot = hub.look_up(REPO, endpoint=stand_in.url)
    return [hub.fetch(snapshot, file, folder, endpoint=stand_in.url) for file in snapshot.files]


def ranges(stand_in: StandInHub) -> list[str | None]:
    return [asked for path, asked in stand_in.requests if path.endswith(SHARD)]


def test_no_code_and_no_images_are_fetched(stand_in: StandInHub, tmp_path: Path) -> None:
    assert download(stand_in, tmp_path) == [True, True, True]
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "tokenizer.json", SHARD}
    assert (tmp_path / SHARD).read_bytes() == WEIGHTS


def test_complete_files_are_not_fetched_again(stand_in: StandInHub, tmp_path: Path) -> None:
    download(stand_in, tmp_path)
    stand_in.requests.clear()
    assert download(stand_in, tmp_path) == [False, False, False]
    assert all(path.startswith("/api/") for path, _ in stand_in.requests)


def test_an_interrupted_download_is_resumed(stand_in: StandInHub, tmp_path: Path) -> None:
    (tmp_path / f"{SHARD}.part").write_bytes(WEIGHTS[:1000])
    download(stand_in, tmp_path)
    assert ranges(stand_in) == ["bytes=1000-"]
    assert (tmp_path / SHARD).read_bytes() == WEIGHTS


def test_a_broken_connection_is_resumed(
    stand_in: StandInHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 4096)
    stand_in.cut[SHARD] = 70_000
    download(stand_in, tmp_path)
    first, second = ranges(stand_in)
    assert first is None
    assert second is not None
    assert (tmp_path / SHARD).read_bytes() == WEIGHTS


def test_a_server_that_does_not_resume_sends_all_again(
    stand_in: StandInHub, tmp_path: Path
) -> None:
    stand_in.resumes = False
    (tmp_path / f"{SHARD}.part").write_bytes(b"x" * 1000)
    counted: list[int] = []
    snapshot = hub.look_up(REPO, endpoint=stand_in.url)
    shard = next(file for file in snapshot.files if file.name == SHARD)
    hub.fetch(snapshot, shard, tmp_path, on_bytes=counted.append, endpoint=stand_in.url)
    assert (tmp_path / SHARD).read_bytes() == WEIGHTS
    assert sum(counted) == len(WEIGHTS)


@pytest.mark.parametrize("name", [SHARD, "config.json"])
def test_a_damaged_file_is_fetched_once_more(
    stand_in: StandInHub, tmp_path: Path, name: str
) -> None:
    stand_in.damaged[name] = 1
    download(stand_in, tmp_path)
    assert (tmp_path / name).read_bytes() == FILES[name]


def test_a_file_that_stays_damaged_never_gets_its_name(
    stand_in: StandInHub, tmp_path: Path
) -> None:
    stand_in.damaged[SHARD] = 9
    with pytest.raises(hub.DownloadFailed, match="damaged"):
        download(stand_in, tmp_path)
    assert not (tmp_path / SHARD).exists()
    assert not (tmp_path / f"{SHARD}.part").exists()


def test_a_file_that_was_damaged_on_the_disk_is_replaced(
    stand_in: StandInHub, tmp_path: Path
) -> None:
    (tmp_path / SHARD).write_bytes(b"\0" * len(WEIGHTS))
    assert download(stand_in, tmp_path) == [True, True, True]
    assert (tmp_path / SHARD).read_bytes() == WEIGHTS


def test_the_snapshot_is_one_commit_whatever_the_branch_does(stand_in: StandInHub) -> None:
    snapshot = hub.look_up(REPO, "main", endpoint=stand_in.url)
    assert snapshot.commit == COMMIT
    assert snapshot.size == sum(len(FILES[file.name]) for file in snapshot.files)


@pytest.mark.parametrize(
    ("repo", "revision", "words"),
    [
        ("deepseek-ai/DeepSeek-OCR-9", None, "no model"),
        (REPO, "v99", "no such revision"),
        ("not a name", None, "not a model name"),
    ],
)
def test_what_the_hub_does_not_have_is_an_error_that_names_it(
    stand_in: StandInHub, repo: str, revision: str | None, words: str
) -> None:
    with pytest.raises(hub.DownloadFailed, match=words):
        hub.look_up(repo, revision, endpoint=stand_in.url)


def test_a_private_model_asks_for_a_token_and_takes_it(
    stand_in: StandInHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.token = "hf_secret"
    with pytest.raises(hub.DownloadFailed, match="HF_TOKEN"):
        hub.look_up(REPO, endpoint=stand_in.url)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert download(stand_in, tmp_path) == [True, True, True]


def test_terms_that_are_not_accepted_are_an_error_that_says_so(stand_in: StandInHub) -> None:
    stand_in.gated = True
    with pytest.raises(hub.DownloadFailed, match="terms"):
        hub.look_up(REPO, endpoint=stand_in.url)


def test_a_listed_file_that_is_missing_is_an_error(stand_in: StandInHub, tmp_path: Path) -> None:
    stand_in.gone.add("tokenizer.json")
    with pytest.raises(hub.DownloadFailed, match="does not have"):
        download(stand_in, tmp_path)


def test_an_unreachable_hub_is_an_error() -> None:
    with pytest.raises(hub.DownloadFailed, match="cannot be reached"):
        hub.look_up(REPO, endpoint="http://127.0.0.1:9")


def test_a_repository_without_weights_is_refused(stand_in: StandInHub) -> None:
    del stand_in.files[SHARD]
    with pytest.raises(hub.DownloadFailed, match="no weights"):
        hub.look_up(REPO, endpoint=stand_in.url)


def test_a_full_disk_is_found_before_the_first_byte(
    stand_in: StandInHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = hub.look_up(REPO, endpoint=stand_in.url)
    hub.check_disk_space(snapshot, tmp_path)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, hub.SPARE_BYTES))
    with pytest.raises(DiskFull, match="GB free"):
        hub.check_disk_space(snapshot, tmp_path)


def test_only_missing_bytes_need_disk_space(stand_in: StandInHub, tmp_path: Path) -> None:
    snapshot = hub.look_up(REPO, endpoint=stand_in.url)
    (tmp_path / f"{SHARD}.part").write_bytes(WEIGHTS[:1000])
    (tmp_path / "config.json").write_bytes(FILES["config.json"])
    assert hub.bytes_missing(snapshot, tmp_path) == len(WEIGHTS) - 1000 + 100
