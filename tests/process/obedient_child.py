"""A child that does what each request says. It imports little: each of many tests starts one."""

from __future__ import annotations

import os
import time

from dsocr.process.child import Channel, Header, limit_cpu_seconds

OBEY = f"{__name__}:obey"


def obey(channel: Channel, arguments: Header) -> None:
    while True:
        request, payload = channel.receive()
        if "sleep" in request:
            time.sleep(request["sleep"])
        if "exit" in request:
            os._exit(request["exit"])
        if "burn" in request:
            limit_cpu_seconds(request["burn"])
            while True:
                pass
        if "allocate" in request:
            try:
                request["got"] = len(bytearray(request["allocate"]))
            except MemoryError:
                request["got"] = None
        if "print" in request:
            print(request["print"], flush=True)
        request["arguments"] = arguments
        request["environment"] = os.environ.get("DSOCR_TEST_CHILD")
        channel.send(request, bytes(reversed(payload)))
