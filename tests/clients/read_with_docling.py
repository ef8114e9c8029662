"""Reads a file with docling's client for docling-serve, and prints what it found as JSON."""

import json
import sys
from pathlib import Path

from docling.service_client import DoclingServiceClient
from docling.service_client.client import ChunkerKind

url, path, key = sys.argv[1:]
with DoclingServiceClient(url, api_key=key) as client:
    health = client.health().status
    document = client.convert(Path(path)).document
    chunks = client.chunk(Path(path), ChunkerKind.HYBRID).chunks
found = {"text": document.export_to_text(), "chunks": [chunk.text for chunk in chunks]}
print(json.dumps(found | {"health": health}))
