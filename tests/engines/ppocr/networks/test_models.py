"""The model files of the package are those that were taken, and all that the engine loads."""

from __future__ import annotations

import hashlib

from dsocr.engines.ppocr.networks.network import MODELS

DOCUMENTS = {"LICENSE.apache-2.0.txt", "NOTICE.md", "SHA256SUMS"}


def hashes() -> dict[str, str]:
    """File name -> SHA-256, as `sha256sum` writes them."""
    lines = (MODELS / "SHA256SUMS").read_text().splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def test_each_model_file_has_its_hash() -> None:
    found = {name: hashlib.sha256((MODELS / name).read_bytes()).hexdigest() for name in hashes()}

    assert found == hashes()


def test_every_file_of_the_folder_is_hashed_and_named_in_the_notice() -> None:
    files = {path.name for path in MODELS.iterdir()} - DOCUMENTS
    notice = (MODELS / "NOTICE.md").read_text()

    assert files == set(hashes())
    assert [name for name in files if f"`{name}`" not in notice] == []
