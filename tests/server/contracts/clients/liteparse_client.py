"""What a program does with the `liteparse` package; prints what it gets, as JSON.

Runs in an environment of its own: python liteparse_client.py BASE_URL KEY PHOTO.jpg FILE.pdf
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from typing import Any

from liteparse import LiteParse


def main(base: str, key: str, image: str, document: str) -> None:
    found: dict[str, Any] = {"version": importlib.metadata.version("liteparse")}
    for name, path in (("photo", image), ("pdf", document)):
        parser = LiteParse(
            ocr_server_url=f"{base}/ocr", ocr_server_headers={"X-Api-Key": key}, quiet=True
        )
        found[name] = parser.parse(path).text
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
