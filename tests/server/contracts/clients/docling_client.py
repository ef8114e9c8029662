"""What a program does with docling's client for docling-serve; prints what it gets, as JSON.

Runs in an environment of its own: python docling_client.py BASE_URL KEY PHOTO.jpg FILE.pdf
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

from docling.service_client import DoclingServiceClient
from docling.service_client.client import ChunkerKind


def main(base: str, key: str, image: str, document: str) -> None:
    with DoclingServiceClient(base, api_key=key) as client:
        chunks = client.chunk(Path(document), ChunkerKind.HYBRID).chunks
        found: dict[str, Any] = {
            "version": importlib.metadata.version("docling-client"),
            "health": client.health().status,
            "photo": _converted(client, image),
            "pdf": _converted(client, document),
            "chunks": [chunk.text for chunk in chunks],
        }
    json.dump(found, sys.stdout)


def _converted(client: DoclingServiceClient, path: str) -> list[str]:
    """The texts of the document and the cells of its tables, those outside of its body too."""
    document = client.convert(Path(path)).document
    cells = [cell.text for table in document.tables for cell in table.data.table_cells]
    return [text.text for text in document.texts] + cells


if __name__ == "__main__":
    main(*sys.argv[1:])
