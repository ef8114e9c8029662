"""Markdown to safe HTML. The text of a model is untrusted input.

Formulas stay as `\\(...\\)` and `\\[...\\]` in the text of the HTML; images keep a relative `src`.
"""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline

MAX_FORMULA = 2000
"""Characters; what is longer is text."""
MAX_PAGE = 100_000
"""Characters of a page that are parsed as markdown; a longer page is shown as it is written.
The model's context holds about half as many. The time of some markdown constructs grows faster
than their length."""

FORMULA = re.compile(
    rf"\\\(((?:[^\\]|\\[^()]){{1,{MAX_FORMULA}}}?)\\\)"
    rf"|\\\[((?:[^\\]|\\[^\[\]]){{1,{MAX_FORMULA}}}?)\\\]"
)
"""Inside, a bracket of its own kind ends the search, so that no text is searched twice."""

TAGS = (
    {"h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "blockquote", "pre", "code", "a", "img"}
    | {"ul", "ol", "li", "strong", "b", "em", "i", "u", "s", "del", "sub", "sup"}
    | {"table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td"}
)
ATTRIBUTES = {
    "a": {"href"},
    "img": {"src", "alt"},
    "ol": {"start"},
    "td": {"rowspan", "colspan"},
    "th": {"rowspan", "colspan"},
}


_of_thread = threading.local()


def to_safe_html(markdown: str) -> str:
    """An HTML fragment that has only `TAGS` and `ATTRIBUTES`: no script, style or event handler."""
    # Only here: a service imports this module at its start and may never write an export.
    import nh3
    from markdown_it.common.utils import escapeHtml

    if len(markdown) > MAX_PAGE:
        return f"<pre>{escapeHtml(markdown)}</pre>"
    return nh3.clean(
        _parser().render(markdown),
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    )


def _parser() -> MarkdownIt:
    """One for each thread, as it costs as much as a short page; it changes while it parses."""
    if not hasattr(_of_thread, "parser"):
        _of_thread.parser = _new_parser()
    parser: MarkdownIt = _of_thread.parser
    return parser


def _new_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    # Before "escape", which would take the backslashes away, and before emphasis eats "_".
    parser.inline.ruler.before("escape", "formula", _inline_formula)
    parser.block.ruler.before(
        "table", "formula", _block_formula, {"alt": ["paragraph", "reference", "blockquote"]}
    )
    return parser


def _inline_formula(state: StateInline, silent: bool) -> bool:
    found = FORMULA.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        state.push("text", "", 0).content = found[0]
    state.pos = found.end()
    return True


def _block_formula(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A display formula of several lines, in which "- b" is no list and "= c" no heading."""
    at = state.bMarks[start] + state.tShift[start]
    found = FORMULA.match(state.src, at, state.eMarks[end - 1]) if end > start else None
    if not found or found[2] is None or "\n" not in found[0]:
        return False
    line = start + found[0].count("\n")
    if state.src[found.end() : state.eMarks[line]].strip():
        return False
    if not silent:
        state.line = line + 1
        state.push("paragraph_open", "p", 1)
        inline = state.push("inline", "", 0)
        inline.content, inline.children, inline.map = found[0], [], [start, state.line]
        state.push("paragraph_close", "p", -1)
    return True
