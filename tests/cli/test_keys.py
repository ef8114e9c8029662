from pathlib import Path

import pytest
from typer.testing import CliRunner

from dsocr.cli import app
from dsocr.server.key_file import hash_of, read_keys


def test_a_key_is_made_listed_and_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_OCR_KEYS_FILE", str(tmp_path / "keys.json"))
    run = CliRunner()
    key = run.invoke(app, ["keys", "add", "laptop"]).stdout.strip()
    [stored] = read_keys(tmp_path / "keys.json")
    assert bytes.fromhex(stored.sha256) == hash_of(key)
    assert run.invoke(app, ["keys", "list"]).stdout.endswith("  laptop\n")
    assert run.invoke(app, ["keys", "revoke", "laptop"]).exit_code == 0
    assert run.invoke(app, ["keys", "list"]).stdout == ""
