"""Times the start of the native engine on a checkpoint, up to the first token of one page.

    python -m bench.first_token FOLDER

The last line is JSON, seconds since 1970: this process's imports done (`parent`), the stages of the
worker's start, the engine `ready`, the `first token`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

from PIL import Image

from dsocr.engines.deepseek.native import NativeEngine
from dsocr.runtime.config import RuntimeConfig
from dsocr.types import OcrOptions, PageImage


async def main(folder: Path) -> None:
    engine = NativeEngine(RuntimeConfig(model_path=folder, device="cuda"))
    at = {"parent": time.time()}
    await engine.start()
    at |= engine.stages
    at["ready"] = time.time()
    picture = Image.effect_noise((1200, 1600), 40).convert("RGB")
    page = PageImage(0, picture, picture.width, picture.height)
    options = OcrOptions("custom", "gundam", "<image>\nFree OCR.", max_tokens=64)

    def note_first(_: str) -> None:
        at.setdefault("first token", time.time())

    await engine.recognize(page, options, on_text=note_first)
    await engine.close()
    print(json.dumps(at))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="a checkpoint")
    asyncio.run(main(parser.parse_args().folder))
