"""Escapes recognized text, so that rendered markdown shows it as it is printed.

Only characters that markdown would take for markup are escaped; most text has none.
"""

from __future__ import annotations

import html
import re

_ENTITY = re.compile(r"&(?=#?\w{1,32};)")
_TAG = re.compile(r"<(?=[A-Za-z/!?|\uff5c])")
_BACKSLASH = re.compile(r"\\(?=[!-/:-@\[-`{-~]|$)")
_STAR = re.compile(r"\*+(?=[^\s*])|(?<=[^\s*])\*+")
_UNDERSCORE = re.compile(r"(?<![^\W_])_+(?=[^\W_])|(?<=[^\W_])_+(?![^\W_])")
_TICK = re.compile(r"`")
_STRUCK = re.compile(r"~(?=~)|(?<=~)~")
_LINK = re.compile(r"\](?=[(\[])")
_PAIRED = (_STAR, _UNDERSCORE, _TICK, _STRUCK)
"""Markup only where another one closes it."""
_LEADING = re.compile(r"(?:#{1,6}|[-+*])(?=\s|$)|>|`{3}|~{3}")
_RULE = re.compile(r"(?:[-=_*|:]\s*)+$")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


def escape_markdown(text: str) -> str:
    """One paragraph or row as markdown that renders to these characters."""
    text = _BACKSLASH.sub(r"\\\\", text.strip())
    for sign in _PAIRED:
        if len(sign.findall(text)) > 1:
            text = sign.sub(lambda match: "".join(f"\\{char}" for char in match[0]), text)
    if _LEADING.match(text) or _RULE.fullmatch(text):
        text = f"\\{text}"
    text = _LINK.sub(r"\\]", text)
    return _TAG.sub("&lt;", _ENTITY.sub("&amp;", text))


def unescape_markdown(text: str) -> str:
    """The inverse of `escape_markdown`, for plain text."""
    return html.unescape(_ESCAPED.sub(r"\1", text))
