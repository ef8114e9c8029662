"""What a program does with the `mistralai` package; prints what it gets, as JSON.

Runs in an environment of its own: python mistral_client.py BASE_URL KEY PHOTO.jpg FILE.pdf
"""

from __future__ import annotations

import base64
import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

try:  # from version 2 on
    from mistralai.client import Mistral
except ImportError:
    from mistralai import Mistral


def main(base: str, key: str, image: str, document: str) -> None:
    client = Mistral(api_key=key, server_url=base)
    picture = {"type": "image_url", "image_url": _data_url(image, "image/jpeg")}
    file = {"type": "document_url", "document_url": _data_url(document, "application/pdf")}
    found: dict[str, Any] = {
        "version": importlib.metadata.version("mistralai"),
        "photo": _ocr(client, picture),
        "pdf": _ocr(client, file, pages=[0]),
        "file": _file(client, Path(document)),
        "errors": _errors(client, file),
    }
    json.dump(found, sys.stdout)


def _ocr(client: Any, document: Any, **options: Any) -> dict[str, Any]:
    answer = client.ocr.process(
        model="mistral-ocr-latest", document=document, include_image_base64=True, **options
    )
    return {
        "pages": [[page.index, page.markdown] for page in answer.pages],
        "size": [answer.pages[0].dimensions.width, answer.pages[0].dimensions.height],
        "processed": answer.usage_info.pages_processed,
    }


def _file(client: Any, path: Path) -> dict[str, Any]:
    uploaded = client.files.upload(
        file={"file_name": path.name, "content": path.read_bytes()}, purpose="ocr"
    )
    retrieved = client.files.retrieve(file_id=uploaded.id)
    link = client.files.get_signed_url(file_id=uploaded.id, expiry=1)
    by_link = _ocr(client, {"type": "document_url", "document_url": link.url})
    by_id = _ocr(client, {"type": "file", "file_id": uploaded.id})
    deleted = client.files.delete(file_id=uploaded.id)
    size = retrieved.size_bytes
    return {"size": size, "by link": by_link, "by id": by_id, "deleted": deleted.deleted}


def _errors(client: Any, file: Any) -> dict[str, Any]:
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    try:
        _ocr(client, file, document_annotation_format=form)
    except Exception as error:
        return {"annotation": [type(error).__name__, getattr(error, "status_code", None)]}
    return {}


def _data_url(path: str, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(Path(path).read_bytes()).decode()}"


if __name__ == "__main__":
    main(*sys.argv[1:])
