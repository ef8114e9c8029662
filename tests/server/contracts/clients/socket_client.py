"""What a program does with docling's web socket and `websockets`; prints what it gets, as JSON.

Runs in an environment of its own: python socket_client.py BASE_URL KEY PHOTO.jpg FILE.pdf
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect


def main(base: str, key: str, image: str, document: str) -> None:
    found: dict[str, Any] = {"version": importlib.metadata.version("websockets")}
    for name, path in (("photo", image), ("pdf", document)):
        task = _json(base, "/v1/convert/file/async", key, _form(Path(path)))["task_id"]
        address = f"ws{base.removeprefix('http')}/v1/status/ws/{task}"
        with connect(address, additional_headers={"X-Api-Key": key}) as socket:
            states = [json.loads(message)["task"]["task_status"] for message in socket]
        found[f"{name} state"] = states[-1]
        found[name] = _json(base, f"/v1/result/{task}", key)["document"]["md_content"]
    try:
        connect(address).close()
    except InvalidStatus as error:
        found["without a key"] = error.response.status_code
    json.dump(found, sys.stdout)


def _form(path: Path) -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"\r\n\r\n'
    return head.encode() + path.read_bytes() + b"\r\n--b--\r\n"


def _json(base: str, path: str, key: str, form: bytes | None = None) -> Any:
    headers = {"X-Api-Key": key, "Content-Type": "multipart/form-data; boundary=b"}
    request = urllib.request.Request(base + path, form, headers)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


if __name__ == "__main__":
    main(*sys.argv[1:])
