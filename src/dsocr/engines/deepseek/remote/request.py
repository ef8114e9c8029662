"""The body of a chat request, and the picture in it."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image

from dsocr.engines.deepseek.prompts import IMAGE
from dsocr.engines.deepseek.remote.config import ImageFormat, RemoteConfig
from dsocr.engines.deepseek.remote.servers import CONTEXT_TOKENS, MAX_SIDES, ServerKind
from dsocr.types import NoRepeat, OcrOptions, PageImage

TABLE_CELL_TOKENS = (128821, 128822)
"""`<td>` and `</td>`, which the rule over a window exempts."""
JPEG_QUALITY = 95


def chat_body(
    kind: ServerKind, model: str, picture: str, options: OcrOptions, config: RemoteConfig
) -> dict[str, Any]:
    """A streamed chat completion. `picture` is a data URL."""
    content = [
        {"type": "image_url", "image_url": {"url": picture}},
        {"type": "text", "text": prompt_text(options.prompt, kind)},
    ]
    body = {
        "model": model,
        "messages": [{"role": "user", "content": content}],
        "temperature": options.temperature,
        "top_p": options.top_p,
        "max_tokens": options.max_tokens or kind.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
        "skip_special_tokens": False,
        **_logprobs(kind),
        **_no_repeat(kind, options.no_repeat_ngram, config),
        "mode": options.mode if kind.takes_mode else None,
    }
    return {name: value for name, value in body.items() if value is not None}


def prompt_text(prompt: str, kind: ServerKind) -> str:
    """The prompt without `<image>` and its line break for a server that adds them."""
    if kind.takes_image_word:
        return prompt
    return prompt.replace(f"{IMAGE}\n", "").replace(IMAGE, "")


def picture_url(page: PageImage, options: OcrOptions, image_format: ImageFormat) -> str:
    """The page as a data URL, reduced in the modes that need it. Blocks while it encodes."""
    picture = page.image
    longest = None if options.mode == "auto" else MAX_SIDES.get(options.mode)
    if longest is not None and max(picture.size) > longest:
        picture = picture.copy()
        picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    if image_format == "jpeg":
        picture.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    else:
        picture.save(file, "PNG", compress_level=1)
    return f"data:image/{image_format};base64,{base64.b64encode(file.getbuffer()).decode()}"


def _logprobs(kind: ServerKind) -> dict[str, Any]:
    if kind.top_logprobs is None:
        return {}
    return {"logprobs": True, "top_logprobs": kind.top_logprobs}


def _no_repeat(kind: ServerKind, rule: NoRepeat | None, config: RemoteConfig) -> dict[str, Any]:
    """A rule over the whole sequence is sent with the context as its window."""
    if rule is None or not kind.no_repeat:
        return {}
    arguments: dict[str, Any] = {
        "ngram_size": rule.ngram,
        "window_size": rule.window or CONTEXT_TOKENS,
        "whitelist_token_ids": list(TABLE_CELL_TOKENS) if rule.window else [],
    }
    if kind.no_repeat == "vllm":
        return {"vllm_xargs": arguments}
    if not config.sglang_processor:
        return {}
    return {"custom_logit_processor": config.sglang_processor, "custom_params": arguments}
