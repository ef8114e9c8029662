import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_reference_matches_the_help() -> None:
    script = ROOT / "scripts" / "cli_reference.py"
    written = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert (ROOT / "docs" / "cli.md").read_text("utf-8") == written.stdout
