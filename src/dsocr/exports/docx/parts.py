"""The XML of a Word file's parts other than its text, by ECMA-376."""

from __future__ import annotations

from collections.abc import Sequence

HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "http://schemas.openxmlformats.org"
_WORD = f'xmlns:w="{_OFFICE}/wordprocessingml/2006/main"'
_RELATION_TYPE = f"{_OFFICE}/officeDocument/2006/relationships"
_NAMESPACES = (
    f'{_WORD} xmlns:r="{_RELATION_TYPE}" xmlns:m="{_OFFICE}/officeDocument/2006/math" '
    f'xmlns:wp="{_OFFICE}/drawingml/2006/wordprocessingDrawing" '
    f'xmlns:a="{_OFFICE}/drawingml/2006/main" xmlns:pic="{_OFFICE}/drawingml/2006/picture"'
)
_MAIN = "application/vnd.openxmlformats-officedocument.wordprocessingml"
FIRST_RELATION = 10
"""Those below are of the parts that every file has."""
FIRST_NOTE = 2
"""Those below are the lines that separate footnotes from the text."""
_LEVELS = range(9)
_INDENT = 360
"""Of a list's level, in twentieths of a point."""
_BULLETS = "\u2022\u25e6\u25aa"
_NUMBERS = ("decimal", "lowerLetter", "lowerRoman")

DOCUMENT_START = f"{HEAD}<w:document {_NAMESPACES}><w:body>"
DOCUMENT_END = (
    '<w:sectPr><w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1134" w:right="1134" '
    'w:bottom="1134" w:left="1134" w:header="709" w:footer="709" w:gutter="0"/></w:sectPr>'
    "</w:body></w:document>"
)

_PARTS = ("styles", "numbering", "footnotes", "settings")

CONTENT_TYPES = (
    f'{HEAD}<Types xmlns="{_OFFICE}/package/2006/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Default Extension="jpg" ContentType="image/jpeg"/>'
    f'<Override PartName="/word/document.xml" ContentType="{_MAIN}.document.main+xml"/>'
    + "".join(
        f'<Override PartName="/word/{part}.xml" ContentType="{_MAIN}.{part}+xml"/>'
        for part in _PARTS
    )
    + '<Override PartName="/docProps/core.xml" '
    'ContentType="application/vnd.openxmlformats-package.core-properties+xml"/></Types>'
)
_RELATIONS = f'{HEAD}<Relationships xmlns="{_OFFICE}/package/2006/relationships">'
PACKAGE_RELATIONS = (
    f'{_RELATIONS}<Relationship Id="rId1" Type="{_RELATION_TYPE}/officeDocument" '
    'Target="word/document.xml"/><Relationship Id="rId2" '
    f'Type="{_OFFICE}/package/2006/relationships/metadata/core-properties" '
    'Target="docProps/core.xml"/></Relationships>'
)


def relation(id: str, kind: str, target: str, mode: str) -> str:
    return f'<Relationship Id="{id}" Type="{_RELATION_TYPE}/{kind}" Target="{target}"{mode}/>'


def relations(found: Sequence[str]) -> str:
    """Of the text: the parts of every file, then figures and links."""
    usual = [
        relation(f"rId{number}", part, f"{part}.xml", "")
        for number, part in enumerate(_PARTS, start=1)
    ]
    return f"{_RELATIONS}{''.join([*usual, *found])}</Relationships>"


def core(title: str, language: str) -> str:
    """The properties that file managers show."""
    return (
        f'{HEAD}<cp:coreProperties xmlns:cp="{_OFFICE}/package/2006/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>{title}</dc:title><dc:creator>dsocr</dc:creator>"
        f"<dc:language>{language}</dc:language></cp:coreProperties>"
    )


def settings(language: str, east_asian: str) -> str:
    return (
        f'{HEAD}<w:settings {_NAMESPACES}><w:footnotePr><w:footnote w:id="0"/>'
        '<w:footnote w:id="1"/></w:footnotePr><w:compat><w:compatSetting '
        'w:name="compatibilityMode" w:uri="http://schemas.microsoft.com/office/word" '
        f'w:val="15"/></w:compat><w:themeFontLang w:val="{language}" w:eastAsia="{east_asian}"/>'
        "</w:settings>"
    )


def list_instance(number: int, *, ordered: bool, level: int, start: int) -> str:
    """A list of its own, which counts from `start` at its level."""
    kind = 2 if ordered else 1
    restart = f'<w:startOverride w:val="{start}"/>'
    override = f'<w:lvlOverride w:ilvl="{level}">{restart}</w:lvlOverride>' if ordered else ""
    return f'<w:num w:numId="{number}"><w:abstractNumId w:val="{kind}"/>{override}</w:num>'


def numbering(lists: Sequence[str]) -> str:
    bullets = "".join(_level(level, "bullet", _BULLETS[level % 3]) for level in _LEVELS)
    numbers = "".join(_level(level, _NUMBERS[level % 3], f"%{level + 1}.") for level in _LEVELS)
    return (
        f"{HEAD}<w:numbering {_WORD}>{_abstract(1, bullets)}{_abstract(2, numbers)}"
        f"{''.join(lists)}</w:numbering>"
    )


def _abstract(number: int, levels: str) -> str:
    kind = '<w:multiLevelType w:val="multilevel"/>'
    return f'<w:abstractNum w:abstractNumId="{number}">{kind}{levels}</w:abstractNum>'


def _level(level: int, format: str, text: str) -> str:
    indent = _INDENT * (level + 1)
    return (
        f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="{format}"/>'
        f'<w:lvlText w:val="{text}"/><w:lvlJc w:val="left"/>'
        f'<w:pPr><w:ind w:left="{indent}" w:hanging="{_INDENT}"/></w:pPr></w:lvl>'
    )


def footnote(number: int, content: str) -> str:
    mark = '<w:r><w:rPr><w:rStyle w:val="FootnoteReference"/></w:rPr><w:footnoteRef/></w:r>'
    blank = '<w:r><w:t xml:space="preserve"> </w:t></w:r>'
    style = '<w:pPr><w:pStyle w:val="FootnoteText"/></w:pPr>'
    return f'<w:footnote w:id="{number}"><w:p>{style}{mark}{blank}{content}</w:p></w:footnote>'


def footnotes(found: Sequence[str]) -> str:
    lines = (("separator", 0), ("continuationSeparator", 1))
    usual = "".join(
        f'<w:footnote w:type="{kind}" w:id="{number}"><w:p><w:r><w:{kind}/></w:r></w:p>'
        "</w:footnote>"
        for kind, number in lines
    )
    return f"{HEAD}<w:footnotes {_NAMESPACES}>{usual}{''.join(found)}</w:footnotes>"


def styles(language: str, east_asian: str) -> str:
    headings = "".join(_heading(level) for level in range(1, 7))
    named = "".join(
        _style(id, name, paragraph, run) for id, name, paragraph, run in _PARAGRAPH_STYLES
    )
    return (
        f"{HEAD}<w:styles {_WORD}><w:docDefaults><w:rPrDefault><w:rPr>"
        '<w:rFonts w:ascii="Calibri" w:hAnsi="Calibri" w:cs="Arial"/>'
        '<w:sz w:val="22"/><w:szCs w:val="22"/>'
        f'<w:lang w:val="{language}" w:eastAsia="{east_asian}" w:bidi="{_bidi(language)}"/>'
        "</w:rPr></w:rPrDefault><w:pPrDefault><w:pPr>"
        '<w:spacing w:after="120" w:line="264" w:lineRule="auto"/></w:pPr></w:pPrDefault>'
        f"</w:docDefaults>{_NORMAL}{headings}{named}{_CHARACTER_STYLES}{_TABLE_STYLES}</w:styles>"
    )


def _bidi(language: str) -> str:
    return language if language in ("ar-SA", "he-IL") else "ar-SA"


def _heading(level: int) -> str:
    size = (36, 30, 26, 24, 22, 22)[level - 1]
    outline = f'<w:outlineLvl w:val="{level - 1}"/>'
    paragraph = f'<w:keepNext/><w:keepLines/><w:spacing w:before="240" w:after="80"/>{outline}'
    run = f'<w:b/><w:bCs/><w:sz w:val="{size}"/><w:szCs w:val="{size}"/>'
    return _style(f"Heading{level}", f"heading {level}", paragraph, run, following="Normal")


def _style(id: str, name: str, paragraph: str, run: str, following: str = "") -> str:
    after = f'<w:next w:val="{following}"/>' if following else ""
    return (
        f'<w:style w:type="paragraph" w:styleId="{id}"><w:name w:val="{name}"/>'
        f'<w:basedOn w:val="Normal"/>{after}<w:qFormat/>'
        f"<w:pPr>{paragraph}</w:pPr><w:rPr>{run}</w:rPr></w:style>"
    )


_NORMAL = (
    '<w:style w:type="paragraph" w:default="1" w:styleId="Normal">'
    '<w:name w:val="Normal"/><w:qFormat/></w:style>'
)
_MONOSPACE = (
    '<w:rFonts w:ascii="Courier New" w:hAnsi="Courier New" w:cs="Courier New"/>'
    '<w:sz w:val="20"/><w:szCs w:val="20"/>'
)
_BAR = '<w:pBdr><w:left w:val="single" w:sz="12" w:space="8" w:color="A0A0A0"/></w:pBdr>'
_PARAGRAPH_STYLES = (
    ("Caption", "caption", '<w:spacing w:after="200"/><w:jc w:val="center"/>', "<w:i/><w:iCs/>"),
    ("Quote", "Quote", f'{_BAR}<w:ind w:left="567"/>', ""),
    ("CodeBlock", "Code Block", '<w:shd w:val="clear" w:fill="F2F2F2"/>', _MONOSPACE),
    ("ListParagraph", "List Paragraph", '<w:spacing w:after="60"/>', ""),
    ("Figure", "Figure", '<w:keepNext/><w:spacing w:before="120"/><w:jc w:val="center"/>', ""),
    ("FootnoteText", "footnote text", '<w:spacing w:after="0"/>', '<w:sz w:val="18"/>'),
)
_CHARACTER_STYLES = (
    '<w:style w:type="character" w:styleId="Code"><w:name w:val="Code"/>'
    f"<w:rPr>{_MONOSPACE}</w:rPr></w:style>"
    '<w:style w:type="character" w:styleId="Hyperlink"><w:name w:val="Hyperlink"/>'
    '<w:rPr><w:color w:val="0563C1"/><w:u w:val="single"/></w:rPr></w:style>'
    '<w:style w:type="character" w:styleId="FootnoteReference">'
    '<w:name w:val="footnote reference"/>'
    '<w:rPr><w:vertAlign w:val="superscript"/></w:rPr></w:style>'
)
_TABLE_STYLES = (
    '<w:style w:type="table" w:default="1" w:styleId="TableNormal">'
    '<w:name w:val="Normal Table"/><w:tblPr><w:tblInd w:w="0" w:type="dxa"/><w:tblCellMar>'
    '<w:left w:w="108" w:type="dxa"/><w:right w:w="108" w:type="dxa"/></w:tblCellMar></w:tblPr>'
    '</w:style><w:style w:type="table" w:styleId="TableGrid"><w:name w:val="Table Grid"/>'
    '<w:basedOn w:val="TableNormal"/><w:pPr><w:spacing w:after="0" w:line="240" '
    'w:lineRule="auto"/></w:pPr><w:tblPr><w:tblBorders>'
    + "".join(
        f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="808080"/>'
        for side in ("top", "left", "bottom", "right", "insideH", "insideV")
    )
    + "</w:tblBorders></w:tblPr></w:style>"
)
