"""A worker that stands for the model on one device, in a real process, to test several of them.

Recognizes many pages at once, a letter of each at a time. The text of a page is its prompt; with
`@crash` at its end it kills the process. Files in the model's folder are commands; `*` stands for
the device:

    broken-*    it does not start          hold    no page gets its last letter
    late-*      it starts when the file is gone

It makes `pid-*`, and adds each page that it starts to `started-*` and each failed start to
`failed-*`, a line each.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dsocr.process.child import Channel, Header
from tests.engines.worker_frames import READY, done_frame, serve_pages

MAX_PAGES = 40


def serve(channel: Channel, arguments: Header) -> None:
    folder, device = Path(arguments["model_path"]), arguments["device"]
    while (folder / f"late-{device}").exists():
        time.sleep(0.005)
    if (folder / f"broken-{device}").exists():
        with (folder / f"failed-{device}").open("a") as failed:
            failed.write("once\n")
        message = f"There is no {device}."
        channel.send({"kind": "unusable", "code": "engine_unavailable", "message": message})
        return
    (folder / f"pid-{device}").write_text(str(os.getpid()))
    limits = {"max_pages": MAX_PAGES, "max_num_seqs": MAX_PAGES, "cache_tokens": 8192}
    channel.send(READY | {"device": device} | limits)
    serve_pages(channel, partial(_letters, folder), folder / f"started-{device}")


def _letters(folder: Path, pages: dict[int, str]) -> Iterator[Header]:
    for number, left in list(pages.items()):
        if left == "@crash":
            os.kill(os.getpid(), signal.SIGKILL)
        elif len(left) > 1:
            pages[number] = left[1:]
        elif (folder / "hold").exists():
            continue
        else:
            del pages[number]
        yield {"kind": "text", "id": number, "text": left[0]}
        if number not in pages:
            yield done_frame(number, "stop", [1], prompt_tokens=1, image_tokens=1)
