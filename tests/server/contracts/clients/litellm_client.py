"""What a program does with the `litellm` package; prints what it gets, as JSON.

Runs in an environment of its own: python litellm_client.py BASE_URL KEY PHOTO.jpg FILE.pdf
"""

from __future__ import annotations

import base64
import importlib.metadata
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it fetches a table of prices
import litellm


def main(base: str, key: str, image: str, document: str) -> None:
    server = {"api_base": f"{base}/v1", "api_key": key}
    picture, pdf = _data_url(image, "image/jpeg"), _data_url(document, "application/pdf")
    found: dict[str, Any] = {"version": importlib.metadata.version("litellm")}
    answer: Any = litellm.completion(
        model="openai/deepseek-ocr",
        messages=[
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture}}]}
        ],
        **server,
    )
    found["photo"] = answer.choices[0].message.content
    chunks: Any = litellm.completion(
        model="openai/deepseek-ocr",
        messages=[{"role": "user", "content": [{"type": "file", "file": {"file_data": pdf}}]}],
        stream=True,
        **server,
    )
    found["stream"] = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    read: Any = litellm.ocr(
        model="mistral/mistral-ocr-latest",
        document={"type": "document_url", "document_url": pdf},
        **server,
    )
    found["ocr"] = [page.markdown for page in read.pages]
    json.dump(found, sys.stdout)


def _data_url(path: str, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(Path(path).read_bytes()).decode()}"


if __name__ == "__main__":
    main(*sys.argv[1:])
