"""What a program does with the `openai` package; prints what it gets, as JSON.

Runs in an environment of its own: python openai_client.py BASE_URL KEY PHOTO.jpg FILE.pdf
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import openai


def main(base: str, key: str, image: str, document: str) -> None:
    client = openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0)
    picture = _data_url(image, "image/jpeg")
    file = {"filename": "a.pdf", "file_data": _data_url(document, "application/pdf")}
    prompt = "<image>\n<|grounding|>Convert the document to markdown."
    photo: Any = [
        {"type": "text", "text": prompt},
        {"type": "image_url", "image_url": {"url": picture}},
    ]
    pdf: Any = [{"type": "file", "file": file}]
    found: dict[str, Any] = {
        "version": openai.__version__,
        "models": [model.id for model in client.models.list()],
        "photo": _chat(client, photo),
        "pdf": _chat(client, pdf),
        "stream": _stream(client, pdf),
        "response": _response(client, [{"type": "input_image", "image_url": picture}]),
        "response stream": _response_stream(client, [{"type": "input_file", **file}]),
        "errors": _errors(client),
    }
    json.dump(found, sys.stdout)


def _chat(client: openai.OpenAI, content: Any) -> dict[str, Any]:
    answer = client.chat.completions.create(
        model="deepseek-ocr",
        messages=[{"role": "user", "content": content}],
        max_tokens=8192,
        temperature=0.0,
        extra_body={
            "vllm_xargs": {
                "ngram_size": 30,
                "window_size": 90,
                "whitelist_token_ids": [128821, 128822],
            }
        },
    )
    choice = answer.choices[0]
    assert answer.usage is not None
    usage = answer.usage.model_dump(include={"completion_tokens", "total_tokens"})
    return {"text": choice.message.content, "finish": choice.finish_reason, "usage": usage}


def _stream(client: openai.OpenAI, content: Any) -> dict[str, Any]:
    text, finish, usage = "", None, None
    for chunk in client.chat.completions.create(
        model="deepseek-ocr",
        messages=[{"role": "user", "content": content}],
        stream=True,
        stream_options={"include_usage": True},
    ):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
        usage = chunk.usage or usage
    assert usage is not None
    return {"text": text, "finish": finish, "tokens": usage.completion_tokens}


def _response(client: openai.OpenAI, content: Any) -> dict[str, Any]:
    answer = client.responses.create(
        model="deepseek-ocr", input=[{"role": "user", "content": content}]
    )
    assert answer.usage is not None
    tokens = answer.usage.output_tokens
    return {"text": answer.output_text, "status": answer.status, "tokens": tokens}


def _response_stream(client: openai.OpenAI, content: Any) -> dict[str, Any]:
    deltas, final = "", ""
    for event in client.responses.create(
        model="deepseek-ocr", input=[{"role": "user", "content": content}], stream=True
    ):
        if event.type == "response.output_text.delta":
            deltas += event.delta
        elif event.type == "response.completed":
            final = event.response.output_text
    return {"text": final, "deltas": deltas}


def _errors(client: openai.OpenAI) -> dict[str, Any]:
    found = {}
    refused: Any = [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
    try:
        _chat(client, refused)
    except openai.UnprocessableEntityError as error:
        found["url"] = [error.status_code, error.code]
    try:
        client.with_options(api_key="wrong").models.list()
    except openai.AuthenticationError as error:
        found["key"] = [error.status_code, error.code]
    return found


def _data_url(path: str, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(Path(path).read_bytes()).decode()}"


if __name__ == "__main__":
    main(*sys.argv[1:])
