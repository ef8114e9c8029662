"""What a program does with LangChain's loader for docling-serve; prints what it gets, as JSON.

Runs in an environment of its own:
python langchain_docling_client.py BASE_URL KEY PHOTO.jpg FILE.pdf
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from typing import Any

from docling.service_client import DoclingServiceClient
from langchain_docling.loader import DoclingLoader, ExportType


def main(base: str, key: str, image: str, document: str) -> None:
    found: dict[str, Any] = {"version": importlib.metadata.version("langchain-docling")}
    with DoclingServiceClient(base, api_key=key) as client:
        for name, path in (("photo", image), ("pdf", document)):
            loader = DoclingLoader(path, converter=client, export_type=ExportType.MARKDOWN)
            [loaded] = loader.load()
            assert loaded.metadata["source"] == path
            found[name] = loaded.page_content
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
