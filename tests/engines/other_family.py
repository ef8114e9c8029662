"""A second model family in the native engine's process: v1's network with other views."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from dsocr.process.child import Channel, Header
from dsocr.runtime.entry import main
from dsocr.runtime.models import deepseek_ocr_spec
from dsocr.runtime.models.registry import FAMILIES, Family
from dsocr.runtime.spec import Config, FamilySpec, Resolution
from tests.runtime.goldens import write_reading_checkpoint

ARCHITECTURE = "OtherOCRForCausalLM"
WORKER = f"{__name__}:serve"


def parse(config: Config) -> FamilySpec:
    views = dataclasses.replace(
        deepseek_ocr_spec.VIEWS,
        modes={"gundam": Resolution(512, 320, True), "base": Resolution(512, 512, False)},
        max_tiles=4,
        untiled_side=320,
        squashed_side=320,
    )
    return dataclasses.replace(deepseek_ocr_spec.parse(config), views=views)


FAMILY = Family("Other-OCR", parse, "dsocr.runtime.models.deepseek_ocr:DeepseekOcr")


def serve(channel: Channel, arguments: Header) -> None:
    FAMILIES[ARCHITECTURE] = FAMILY
    main(channel, arguments)


def write_checkpoint(folder: Path) -> Path:
    """The tiny weights under the family's architecture."""
    write_reading_checkpoint(folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"architectures": [ARCHITECTURE]}))
    return folder
