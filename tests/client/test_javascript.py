"""The JavaScript client, built, in Node, against a running service."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.client.conftest import KEY
from tests.fakes import pdf

PACKAGE = Path(__file__).parents[2] / "clients" / "js"
BUILT = PACKAGE / "dist" / "index.js"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not BUILT.is_file(),
    reason="needs node, and the built client: npm ci && npm run build in clients/js",
)


def test_a_program_in_node_reads_follows_corrects_and_exports(url: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(pdf([["one"], ["two"]]))
    command = ["node", PACKAGE / "test" / "node-client.mjs", url, KEY, path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found.pop("export").startswith("corrected")
    assert found == {
        "text": "one\n\n---\n\ntwo",
        "events": ["block", "delta", "done", "page", "page_done"],
        "status": "succeeded",
        "corrected": "corrected",
        "streamed": True,
        "html": True,
        "error": [True, 404, "not_found"],
    }
