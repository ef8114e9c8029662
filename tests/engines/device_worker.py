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
from pathlib import Path

from dsocr.process.child import Channel, Header
from dsocr.process.packing import pack_counts, pack_floats

MAX_PAGES = 40
DONE = {"finish_reason": "stop", "prompt_tokens": 1, "image_tokens": 1}


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
    facts = {"dtype": "none", "attention": "none", "seconds": 0.0, "max_num_seqs": MAX_PAGES}
    ready = {"kind": "ready", "device": device, "max_pages": MAX_PAGES, "cache_tokens": 8192}
    channel.send(ready | facts)
    pages: dict[int, str] = {}
    while True:
        while channel.has_input() or not pages:
            header, _ = channel.receive()
            if header["kind"] == "cancel":
                pages.pop(header["id"], None)
                continue
            pages[header["id"]] = header["prompt"]
            with (folder / f"started-{device}").open("a") as started:
                started.write(header["prompt"] + "\n")
            channel.send({"kind": "started", "id": header["id"]})
        channel.send({"kind": "events", "events": list(_letters(pages, folder))})
        time.sleep(0.002)


def _letters(pages: dict[int, str], folder: Path) -> Iterator[Header]:
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
            logprobs = {"logprobs": pack_floats([-0.1]), "text_ends": pack_counts([1])}
            yield {"kind": "done", "id": number, **DONE, **logprobs}
