"""What a program does with the `tika` package; prints what it gets, as JSON.

Runs in an environment of its own: python tika_client.py BASE_URL KEY PHOTO.jpg FILE.pdf
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from typing import Any


def main(base: str, key: str, image: str, document: str) -> None:
    os.environ["TIKA_CLIENT_ONLY"] = "True"  # otherwise it downloads and starts Tika itself
    os.environ["TIKA_SERVER_ENDPOINT"] = base
    from tika import parser

    def parsed(path: str) -> dict[str, Any]:
        headers = {"X-Api-Key": key}
        every = parser.from_file(path, headers=headers)
        text = parser.from_file(path, service="text", headers=headers)
        pages = every["metadata"]["xmpTPg:NPages"]
        return {"text": every["content"], "plain": text["content"], "pages": pages}

    version = importlib.metadata.version("tika")
    json.dump({"version": version, "photo": parsed(image), "pdf": parsed(document)}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
