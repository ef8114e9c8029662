"""The requests of Open WebUI's content extraction engines; prints the texts it takes, as JSON.

Open WebUI itself is no library, so its request code of November 2026 is written again here: the
routes, headers and fields that each engine sends, and the fields of the answer that it reads.
Runs in an environment of its own: python open_webui_client.py BASE_URL KEY PHOTO.jpg FILE.pdf
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

MEDIA_TYPES = {".jpg": "image/jpeg", ".pdf": "application/pdf"}
Engine = Callable[[str, str, Path], str]


def external(base: str, key: str, path: Path) -> str:
    headers = {
        "Content-Type": MEDIA_TYPES[path.suffix],
        "Authorization": f"Bearer {key}",
        "X-Filename": quote(path.name),
    }
    answer = requests.put(f"{base}/process", data=path.read_bytes(), headers=headers)
    return "\n".join(page["page_content"] for page in _json(answer))


def mistral_ocr(base: str, key: str, path: Path) -> str:
    """Uploads the file, takes its link, reads the link, and deletes the file."""
    api, headers = f"{base}/v1", {"Authorization": f"Bearer {key}"}
    with path.open("rb") as file:
        form = {"file": (path.name, file, MEDIA_TYPES[path.suffix]), "purpose": (None, "ocr")}
        identity = _json(requests.post(f"{api}/files", headers=headers, files=form))["id"]
    answer = requests.get(f"{api}/files/{identity}/url", headers=headers, params={"expiry": 1})
    body = {
        "model": "mistral-ocr-latest",
        "document": {"type": "document_url", "document_url": _json(answer)["url"]},
        "include_image_base64": False,
    }
    pages = _json(requests.post(f"{api}/ocr", headers=headers, json=body))["pages"]
    _json(requests.delete(f"{api}/files/{identity}", headers=headers))
    return "\n".join(page["markdown"] for page in sorted(pages, key=lambda page: page["index"]))


def tika(base: str, key: str, path: Path) -> str:
    headers = {"Content-Type": MEDIA_TYPES[path.suffix], "X-Api-Key": key}
    answer = requests.put(f"{base}/tika/text", data=path.read_bytes(), headers=headers)
    return str(_json(answer)["X-TIKA:content"])


def docling(base: str, key: str, path: Path) -> str:
    with path.open("rb") as file:
        answer = requests.post(
            f"{base}/v1/convert/file",
            files={"files": (path.name, file, MEDIA_TYPES[path.suffix])},
            data={"image_export_mode": "placeholder", "do_ocr": True, "ocr_engine": "tesseract"},
            headers={"X-Api-Key": key},
        )
    return str(_json(answer)["document"]["md_content"])


def mineru(base: str, key: str, path: Path) -> str:
    with path.open("rb") as file:
        answer = requests.post(
            f"{base}/file_parse",
            files={"files": (path.name, file, "application/octet-stream")},
            data={"enable_ocr": "false", "language": "en", "return_md": "true"},
            headers={"Authorization": f"Bearer {key}"},
        )
    [result] = _json(answer)["results"].values()
    return str(result["md_content"])


def datalab_marker(base: str, key: str, path: Path) -> str:
    headers = {"X-Api-Key": key}
    with path.open("rb") as file:
        answer = requests.post(
            f"{base}/api/v1/marker",
            files={"file": (path.name, file, MEDIA_TYPES[path.suffix])},
            data={"output_format": "markdown", "use_llm": "false", "paginate": "false"},
            headers=headers,
        )
    submitted = _json(answer)
    assert submitted["success"], submitted
    for _ in range(300):
        found = _json(requests.get(submitted["request_check_url"], headers=headers))
        if found["status"] == "complete":
            return str(found["markdown"])
        assert found["status"] == "processing", found
        time.sleep(1)
    raise TimeoutError("datalab_marker")


def paddleocr_vl(base: str, key: str, path: Path) -> str:
    body = {
        "file": base64.b64encode(path.read_bytes()).decode(),
        "fileType": 0 if path.suffix == ".pdf" else 1,
        "useDocOrientationClassify": False,
        "useDocUnwarping": False,
        "useChartRecognition": False,
    }
    headers = {"Authorization": f"token {key}"}
    answer = _json(requests.post(f"{base}/layout-parsing", json=body, headers=headers))
    pages = answer["result"]["layoutParsingResults"]
    return "\n".join(page["markdown"]["text"] for page in pages)


ENGINES: tuple[Engine, ...] = (
    external,
    mistral_ocr,
    tika,
    docling,
    mineru,
    datalab_marker,
    paddleocr_vl,
)


def main(base: str, key: str, image: str, document: str) -> None:
    found: dict[str, Any] = {"version": "request code of November 2026"}
    for engine in ENGINES:
        texts = [engine(base, key, Path(path)) for path in (image, document)]
        found[engine.__name__] = dict(zip(("photo", "pdf"), texts, strict=True))
    json.dump(found, sys.stdout)


def _json(answer: requests.Response) -> Any:
    answer.raise_for_status()
    return answer.json()


if __name__ == "__main__":
    main(*sys.argv[1:])
