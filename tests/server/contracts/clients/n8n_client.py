"""The requests of n8n's HTTP Request node, version 4; prints the texts of their answers, as JSON.

n8n itself is no library, so its request code of November 2026 is written again here: a form with a
binary file, a binary body, and JSON with base64, each with the headers of its HTTP library.
Runs in an environment of its own: python n8n_client.py BASE_URL KEY PHOTO.jpg FILE.pdf
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import requests

MEDIA_TYPES = {".jpg": "image/jpeg", ".pdf": "application/pdf"}
ACCEPT = "application/json,text/html,application/xhtml+xml,application/xml,text/*;q=0.9, */*;q=0.7"


def form(base: str, headers: dict[str, str], path: Path) -> str:
    """Body content type "Form-Data" with a parameter of the type "n8n Binary File"."""
    files: dict[str, Any] = {
        "files": (path.name, path.read_bytes(), MEDIA_TYPES[path.suffix]),
        "to_formats": (None, "md"),
    }
    answer = _json(requests.post(f"{base}/v1/convert/file", headers=headers, files=files))
    return str(answer["document"]["md_content"])


def binary(base: str, headers: dict[str, str], path: Path) -> str:
    """Body content type "n8n Binary File"."""
    kind = {"content-type": MEDIA_TYPES[path.suffix]}
    answer = requests.put(f"{base}/tika", headers={**headers, **kind}, data=path.read_bytes())
    return str(_json(answer)["X-TIKA:content"])


def encoded(base: str, headers: dict[str, str], path: Path) -> str:
    """Body content type "JSON", with the binary data of an item as base64."""
    data = base64.b64encode(path.read_bytes()).decode()
    url = f"data:{MEDIA_TYPES[path.suffix]};base64,{data}"
    body = {
        "model": "mistral-ocr-latest",
        "document": {"type": "document_url", "document_url": url},
    }
    answer = _json(requests.post(f"{base}/v1/ocr", headers=headers, json=body))
    return "\n".join(page["markdown"] for page in answer["pages"])


def main(base: str, key: str, image: str, document: str) -> None:
    headers = {"authorization": f"Bearer {key}", "accept": ACCEPT, "user-agent": "axios/1.12.0"}
    found: dict[str, Any] = {"version": "request code of November 2026"}
    for send in (form, binary, encoded):
        texts = [send(base, headers, Path(path)) for path in (image, document)]
        found[send.__name__] = dict(zip(("photo", "pdf"), texts, strict=True))
    json.dump(found, sys.stdout)


def _json(answer: requests.Response) -> Any:
    answer.raise_for_status()
    return answer.json()


if __name__ == "__main__":
    main(*sys.argv[1:])
