"""Data types shared by all packages. Frozen; they know no file format, engine, or HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from PIL.Image import Image

Mode = Literal["gundam", "base", "small", "tiny", "large"]
ModeChoice = Mode | Literal["auto"]
"""What a request names: a mode, or `auto` for one that is chosen for each page."""
Task = Literal["markdown", "text", "ocr", "figure", "describe", "locate", "custom"]
Headers = Literal["omit", "keep"]
"""What a document's text does with running heads, footers and page numbers."""
DraftsName = Literal["off", "exact", "fast"]
"""Whether tokens are guessed before the model computes them (`RuntimeConfig.drafts`)."""
FinishReason = Literal["stop", "length", "repetition", "error"]

HIDDEN_TEXT = "hidden_text"
"""Flag: text of the PDF that the page does not show is left out."""
EMBEDDED_FORM = "embedded_form"
"""Flag: the PDF is an XFA form, whose content only some viewers show."""
ATTACHED_FILES = "attached_files"
"""Flag: the PDF is a portfolio, whose content is in attached files."""
PAGE_FLAGS = (HIDDEN_TEXT, EMBEDDED_FORM, ATTACHED_FILES)
"""The flags that a source sets, before the page is recognized."""
FIGURE_LABEL = "image"
"""Blocks with this label are figures: markdown links them, exports crop them by their boxes."""


def figure_path(page_index: int, number: int) -> str:
    """Path of a page's figure, relative to the markdown; `number` counts figure boxes from 0."""
    return f"images/{page_index}_{number}.jpg"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page: fractions 0-1 of its width and height, origin top left."""

    x0: float
    y0: float
    x1: float
    y1: float

    def pixels(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Whole pixels of a page of that size, rounded down as the authors' code does."""
        return (
            int(self.x0 * width),
            int(self.y0 * height),
            int(self.x1 * width),
            int(self.y1 * height),
        )


WordScore = tuple[int, int, float]
"""Where a word begins and ends in the text of its line, and the estimated probability, 0-1, that it
is right."""
FontRun = tuple[int, int]
"""A font's number on its page, and how many successive characters have it."""


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text and its box on the upright page: from a PDF's text layer or recognized."""

    text: str
    box: Box
    confidence: float | None = None
    """0-1 for a recognized line; None for a line of the text layer."""
    words: tuple[WordScore, ...] = ()
    """The scores of its words, from left to right; empty where nothing was measured."""
    fonts: tuple[FontRun, ...] = field(default=(), compare=False, repr=False)
    """The fonts of a text layer's line, blanks not counted; empty where they are not known."""


class SharedMemory(Protocol):
    """A block of memory that can be passed to another process (`process.shared_memory`)."""

    def __len__(self) -> int: ...

    def fileno(self) -> int: ...

    def view(self) -> memoryview: ...


@dataclass(frozen=True, slots=True)
class RawPixels:
    """Pixels as a decoder made them: RGB, three bytes each, row after row without padding."""

    width: int
    height: int
    data: bytearray | memoryview | SharedMemory

    def image(self) -> Image:
        """A copy as an image of mode "RGB". Raises `ValueError` for too little data."""
        from PIL import Image  # only here: most importers of this module need no images

        data = self.data
        buffer: Any = data if isinstance(data, bytearray | memoryview) else data.view()
        return Image.frombuffer("RGB", (self.width, self.height), buffer, "raw", "RGB", 0, 1)


@dataclass(frozen=True, slots=True)
class PageImage:
    """One page, upright and in RGB, ready for an engine."""

    index: int
    """Place in the document, from 0."""
    pixels: Image | RawPixels
    """An image of mode "RGB", or the same as bytes; `width` x `height` pixels."""
    width: int
    height: int
    dpi: float | None = None
    """Pixels per inch the page was rendered at; None where the file has no resolution."""
    text_lines: tuple[TextLine, ...] | None = None
    """The PDF's text layer as far as the page shows it; None for images, empty for a PDF page
    without text."""
    hidden_lines: tuple[TextLine, ...] = ()
    """Text of the layer that is not painted itself and lies over a raster image: in a scan, the
    output of another OCR."""
    image_share: float = 0.0
    """Fraction of a PDF page that raster images cover, 0-1: 1.0 for a scan."""
    flags: tuple[str, ...] = ()
    """What is known about the page before it is recognized; the result carries these flags."""

    @property
    def image(self) -> Image:
        """Mode "RGB", `width` x `height` pixels. Raw pixels are copied at each call."""
        return self.pixels.image() if isinstance(self.pixels, RawPixels) else self.pixels

    def rgb(self) -> bytes | bytearray | memoryview | SharedMemory:
        """Its pixels, three bytes each, row after row. Raw pixels are not copied."""
        return self.pixels.data if isinstance(self.pixels, RawPixels) else self.pixels.tobytes()

    @property
    def num_bytes(self) -> int:
        """Of its pixels, three bytes each."""
        return 3 * self.width * self.height


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A page in the file that it was read from."""

    path: Path
    media_type: str
    number: int
    """Its place in the file, from 0."""
    password: str | None = field(default=None, repr=False)
    rotation: int = 0
    """Degrees clockwise by which the page was turned before it was read."""


@dataclass(frozen=True, slots=True)
class NoRepeat:
    """The no-repeat n-gram rule: a token that completes an n-gram already generated is banned.

    `window` None applies to the whole sequence, prompt included (the released code); a number, to
    that many generated tokens, `<td>` and `</td>` exempt (the authors' vLLM scripts).
    """

    ngram: int
    window: int | None = None


@dataclass(frozen=True, slots=True)
class OcrOptions:
    """How to recognize a page. `prompt` is the model's input; `task` is its meaning."""

    task: Task
    mode: ModeChoice
    """Engines get a mode; the pipeline replaces `auto`."""
    prompt: str
    max_tokens: int | None = None
    """Maximum of tokens to generate for one page; None: what the context allows."""
    temperature: float = 0.0
    top_p: float = 1.0
    no_repeat_ngram: NoRepeat | None = None
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes of what the page may be written in; empty: any that the engine knows."""
    rotation: int = 0
    """Degrees clockwise, 0 to 270 by 90, by which the pipeline turns a page before an engine reads
    it."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a document: how to open it, which pages, and how to recognize them."""

    ocr: OcrOptions
    pages: str | None = None
    """Page ranges such as `1-3,7`, from 1; None: all pages."""
    password: str | None = field(default=None, repr=False)
    dpi: float | None = None
    """Resolution of PDF pages; None: chosen by what is on the page."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and seconds of one page. Token counts are 0 for an engine without tokens."""

    vision_tokens: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    drafted_tokens: int = 0
    """Tokens that were guessed before the model computed them."""
    accepted_tokens: int = 0
    """Of these, the ones that it wrote: each saved a step of its own."""


@dataclass(frozen=True, slots=True)
class Block:
    """One region of a page: its kind, its text and its boxes."""

    label: str
    text: str
    boxes: tuple[Box, ...] = ()
    """One reference may have several boxes; none when its coordinates are malformed."""
    confidence: float | None = None
    """0-1, or None where the engine gives none."""
    score: float | None = None
    """The estimated share of its words that are right, 0-1; None where nothing was measured."""
    review: bool = False
    """Whether a person should compare it with the page."""


@dataclass(frozen=True, slots=True)
class PageFailure:
    """Why a page failed: a stable code and a message for people."""

    code: str
    message: str
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class PageResult:
    """The result of one page. A page that failed has `error` set and keeps its place."""

    index: int
    width: int
    height: int
    markdown: str = ""
    blocks: tuple[Block, ...] = ()
    lines: tuple[TextLine, ...] = ()
    """Lines of text with boxes, where the engine has them; where empty, blocks stand for them."""
    raw: str = ""
    finish_reason: FinishReason = "stop"
    flags: tuple[str, ...] = ()
    review_share: float | None = None
    """The share of its words that a person should compare with the page, 0-1; None where nothing
    was measured."""
    usage: Usage = field(default_factory=Usage)
    error: PageFailure | None = None
    mode: Mode | None = None
    """The mode it was read in; None for a page that failed, and where it is not known. A retry in
    another mode is in `flags`."""


@dataclass(frozen=True, slots=True)
class Document:
    """All page results of one source, in order."""

    name: str
    engine: str
    model: str
    options: OcrOptions
    pages: Sequence[PageResult]
    """In order; those of a stored document may be loaded on access."""
    page_names: tuple[str, ...] = ()
    """The file of each page, where there are several; empty: all from `name`."""

    @property
    def mode(self) -> ModeChoice:
        """The requested mode; for `auto`, the one that most pages were read in."""
        if self.options.mode != "auto":
            return self.options.mode
        modes = Counter(page.mode for page in self.pages if page.mode is not None)
        return modes.most_common(1)[0][0] if modes else "auto"
