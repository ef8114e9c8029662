"""What the networks really find is close to the recording that the goldens are made from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from tests.golden.compare import read_golden
from tests.golden.replay import RECORDED
from tests.golden.service import SAMPLES

GOLDEN = read_golden(RECORDED / "samples.json.gz")["ocr"]
ALIKE = 0.98
"""1 minus the edit distance over the longer length. bfloat16 and float32 differ by less."""
READ = ("phototest-rotated-R.png", "sroie_005.jpg")


def test_pages_that_are_really_read_say_what_was_recorded(tmp_path: Path) -> None:
    files = [str(file) for file in SAMPLES if file.name in READ]
    command = [sys.executable, "-m", "dsocr", "read", *files, "-o", str(tmp_path), "--quiet"]
    environment = {**os.environ, "DEEPSEEK_OCR_ENGINE": "rapidocr"}
    ran = subprocess.run(command, env=environment, capture_output=True, timeout=300)

    assert ran.returncode == 0, ran.stderr.decode()
    for name in READ:
        text = next(tmp_path.rglob(f"{Path(name).stem}*")).read_text("utf-8")
        golden = GOLDEN[name]["text"]
        assert Levenshtein.normalized_similarity(text.strip(), golden.strip()) >= ALIKE, name
