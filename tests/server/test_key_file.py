import json
import os
from pathlib import Path

import pytest

from dsocr.server.key_file import BadKeyFile, KeyFile, add_key, hash_of, read_keys, revoke_key
from tests.server.conftest import Client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_keys_are_added_and_revoked_while_the_service_runs(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    with client(keys_file=file) as http:
        assert http.get("/api/modes").status_code == 200  # open without a file
        key, other = add_key(file, "laptop"), add_key(file, "scanner")
        assert http.get("/api/modes").status_code == 401
        assert http.get("/api/modes", headers=bearer(key)).status_code == 200
        revoke_key(file, "laptop")
        assert http.get("/api/modes", headers=bearer(key)).status_code == 401
        assert http.get("/api/modes", headers=bearer(other)).status_code == 200
        revoke_key(file, "scanner")
        assert http.get("/api/modes").status_code == 401  # revoking the last key opens nothing
        file.unlink()
        assert http.get("/api/modes").status_code == 401


def test_keys_of_the_settings_stay_beside_those_of_the_file(client: Client, tmp_path: Path) -> None:
    key = add_key(tmp_path / "keys.json", "laptop")
    with client(keys_file=tmp_path / "keys.json", api_keys=("fixed",)) as http:
        statuses = [
            http.get("/api/modes", headers=bearer(given)).status_code
            for given in (key, "fixed", "wrong")
        ]
    assert statuses == [200, 200, 401]


def test_the_file_has_hashes_only_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    key = add_key(file, "laptop")
    assert key not in file.read_text()
    [stored] = read_keys(file)
    assert (stored.name, bytes.fromhex(stored.sha256)) == ("laptop", hash_of(key))
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "laptop"])
def test_a_bad_or_taken_name_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "keys.json"
    add_key(file, "laptop")
    with pytest.raises(BadKeyFile):
        add_key(file, name)


def test_revoking_an_unknown_key_names_the_known_ones(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    add_key(file, "laptop")
    with pytest.raises(BadKeyFile, match="laptop"):
        revoke_key(file, "desktop")


def test_a_broken_file_is_an_error_at_the_start_and_changes_nothing_later(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    add_key(file, "laptop")
    keys = KeyFile(file)
    before = keys.hashes()
    file.write_text(json.dumps({"keys": [{"name": "x", "sha256": "short", "createdAt": ""}]}))
    os.utime(file, ns=(1, 1))
    assert keys.hashes() == before
    with pytest.raises(BadKeyFile, match="64 hexadecimal"):
        KeyFile(file)
