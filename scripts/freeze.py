"""Writes constraints.txt from two environments: the newest Python's and 3.10's.

    python scripts/freeze.py NEW_PYTHON OLD_PYTHON > constraints.txt

Where the newest release of a package wants Python 3.11 or more, 3.10 gets the last that does not.
"""

from __future__ import annotations

import json
import subprocess
import sys

HEADER = """\
# The versions this was tested with; the lines with markers differ because newer releases want
# Python 3.11. Made by scripts/freeze.py. torch binds only those who do not bring their own build.
"""
OURS = {"dsocr", "pip", "setuptools", "wheel"}
TORCH_ONLY = ("nvidia-", "triton", "cuda-")
"""What torch's own build brings along is torch's to choose."""


def installed(python: str) -> dict[str, tuple[str, bool]]:
    """Name -> (version without local suffix, whether it refuses Python 3.10)."""
    command = [python, "-m", "pip", "inspect", "--disable-pip-version-check"]
    report = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    found = {}
    for entry in report["installed"]:
        metadata = entry["metadata"]
        name = metadata["name"].lower().replace("_", "-")
        if name not in OURS and not name.startswith(TORCH_ONLY):
            refuses = ">=3.11" in metadata.get("requires_python", "")
            found[name] = (metadata["version"].partition("+")[0], refuses)
    return found


def main() -> None:
    new, old = installed(sys.argv[1]), installed(sys.argv[2])
    print(HEADER, end="")
    for name in sorted(new | old):
        version, refuses_310 = new.get(name, ("", False))
        version_310, _ = old.get(name, ("", False))
        if version and not refuses_310 and version_310 in ("", version):
            print(f"{name}=={version}")
            continue
        if version:
            print(f'{name}=={version} ; python_version >= "3.11"')
        if version_310:
            print(f'{name}=={version_310} ; python_version < "3.11"')


if __name__ == "__main__":
    main()
