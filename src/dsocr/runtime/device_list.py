"""The devices that a setting names. Importing this loads no torch."""

from __future__ import annotations

import re

ALL = "all"
"""Every GPU of the machine."""

_NAME = re.compile(r"(cpu|mps|cuda)(?::(\d{1,3}))?")
_USE = "use auto, cpu, cuda, cuda:1, mps, all, or a list such as cuda:0,cuda:2"


def parse_devices(text: str) -> tuple[str, ...]:
    """`all`, `auto` or one device alone, or several of one kind; spaces are ignored. The CPU may be
    named more than once, another device may not. Raises `ValueError`, with what to use."""
    names = tuple(name for name in (part.strip() for part in text.split(",")) if name)
    if not names:
        raise ValueError(f"it names no device; {_USE}")
    if len(names) == 1 and names[0] in (ALL, "auto"):
        return names
    devices = [_device(name) for name in names]
    for place, device in enumerate(devices):
        if device in devices[:place] and device != "cpu":
            raise ValueError(f"it names {device} twice; name each device once")
    if len({device.partition(":")[0] for device in devices}) > 1:
        raise ValueError("it names devices of several kinds; name GPUs only, or cpu")
    return names


def _device(name: str) -> str:
    """The device's one name: `cuda` is `cuda:0`."""
    if name in (ALL, "auto"):
        raise ValueError(f"{name} stands alone; name the devices, or only {name}")
    match = _NAME.fullmatch(name)
    if match is None or (match[2] is not None and match[1] != "cuda"):
        raise ValueError(f"there is no device {name[:40]!r}; {_USE}")
    return f"cuda:{int(match[2] or 0)}" if match[1] == "cuda" else match[1]
