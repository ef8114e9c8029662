"""What a program does with the `langchain-mistralai` package; prints what it gets, as JSON.

Runs in an environment of its own, as the other programs here do: BASE_URL KEY PHOTO.jpg FILE.pdf
"""

from __future__ import annotations

import base64
import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_mistralai import ChatMistralAI


def main(base: str, key: str, image: str, document: str) -> None:
    model: Any = ChatMistralAI(
        model="mistral-ocr-latest", endpoint=f"{base}/v1", api_key=key, max_retries=0
    )
    photo = {"type": "image_url", "image_url": _data_url(image, "image/jpeg")}
    pdf = {"type": "document_url", "document_url": _data_url(document, "application/pdf")}
    found: dict[str, Any] = {
        "version": importlib.metadata.version("langchain-mistralai"),
        "photo": model.invoke([HumanMessage(content=[photo])]).content,
        "pdf": model.invoke([HumanMessage(content=[pdf])]).content,
        "stream": "".join(part.content for part in model.stream([HumanMessage(content=[pdf])])),
    }
    json.dump(found, sys.stdout)


def _data_url(path: str, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(Path(path).read_bytes()).decode()}"


if __name__ == "__main__":
    main(*sys.argv[1:])
