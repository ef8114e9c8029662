"""The Mistral OCR API: recognition, and uploaded files."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from dsocr.engines.base import OnText
from dsocr.process.inflight import Suspicion
from dsocr.types import Block, Box, OcrOptions, PageImage, PageResult, TextLine
from tests.fakes import FakeEngine, pdf, png
from tests.server.conftest import Client
from tests.server.contracts.conftest import Services

TABLE = "<table><tr><td>a|b</td><td>2</td></tr><tr><td colspan='2'>wide</td></tr></table>"
BLOCKS = (
    Block("header", "My journal", (Box(0.1, 0.0, 0.9, 0.05),)),
    Block("title", "# Report", (Box(0.1, 0.1, 0.9, 0.2),), confidence=0.9),
    Block("image", "", (Box(0.0, 0.25, 0.5, 0.5), Box(0.5, 0.25, 0.55, 0.3))),
    Block("image_caption", "Figure 1", (Box(0.1, 0.5, 0.9, 0.55),)),
    Block("table", TABLE, (Box(0.1, 0.6, 0.9, 0.8),)),
    Block("page_number", "7", (Box(0.5, 0.95, 0.6, 1.0),)),
)
LINES = (
    TextLine("Report", Box(0.1, 0.1, 0.9, 0.2), 0.9, words=((0, 6, 0.8),)),
    TextLine("Figure 1", Box(0.1, 0.5, 0.9, 0.55), 0.9, words=((0, 6, 1.0), (7, 8, 0.6))),
    TextLine("wide", Box(0.1, 0.6, 0.9, 0.8), 0.9, words=((0, 4, 0.4),)),
)
MARKDOWN = (
    "My journal\n\n# Report\n\n![](images/0_0.jpg)\n\n![](images/0_1.jpg)\n\nFigure 1\n\n"
    f"{TABLE}\n\n7"
)


class PrintedEngine(FakeEngine):
    """Each page has a header, a title, two figures, a table and scores."""

    async def recognize(
        self,
        page: PageImage,
        options: OcrOptions,
        *,
        on_text: OnText | None = None,
        suspicion: Suspicion | None = None,
    ) -> PageResult:
        result = await super().recognize(page, options, on_text=on_text)
        return dataclasses.replace(result, markdown=MARKDOWN, blocks=BLOCKS, lines=LINES)


def data_url(data: bytes, media_type: str = "application/pdf") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def document(*pages: list[str]) -> dict[str, str]:
    return {"type": "document_url", "document_url": data_url(pdf(pages or ([],)))}


PHOTO = {"type": "image_url", "image_url": data_url(png(["words"], size=(200, 100)), "image/png")}


def ask(http: TestClient, what: dict[str, Any], **options: Any) -> Any:
    return http.post("/v1/ocr", json={"model": "mistral-ocr-latest", "document": what, **options})


Printed = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def printed(services: Services) -> Iterator[Printed]:
    """The first page of the engine with figures and tables, with these options."""
    with services(PrintedEngine()) as http:

        def first_page(**options: Any) -> dict[str, Any]:
            page: dict[str, Any] = ask(http, PHOTO, **options).json()["pages"][0]
            return page

        yield first_page


def test_pages_are_numbered_from_0_and_chosen_by_number(http: TestClient) -> None:
    pages = [[f"page {n}"] for n in range(6)]
    listed = ask(http, document(*pages), pages=[4, 0]).json()
    ranged = ask(http, document(*pages), pages="0,2-3").json()
    assert [(p["index"], p["markdown"]) for p in listed["pages"]] == [(4, "page 4"), (0, "page 0")]
    assert [page["index"] for page in ranged["pages"]] == [0, 2, 3]
    assert ranged["usage_info"] == {"pages_processed": 3, "doc_size_bytes": len(pdf(pages))}


def test_dimensions_are_pixels_with_their_resolution(http: TestClient) -> None:
    page = ask(http, document(["a"])).json()["pages"][0]
    dpi, width = page["dimensions"]["dpi"], page["dimensions"]["width"]
    assert abs(width / dpi * 72 - 298) < 1


def test_figures_have_their_place_and_their_image(printed: Printed) -> None:
    page = printed(include_image_base64=True)
    first, second = page["images"]
    assert (first["top_left_y"], first["bottom_right_x"], first["bottom_right_y"]) == (25, 100, 50)
    assert "![img-0.jpeg](img-0.jpeg)" in page["markdown"]
    head, _, data = first["image_base64"].partition(",")
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert (head, image.size) == ("data:image/jpeg;base64", (100, 25))
    assert second["id"] == "img-1.jpeg"


@pytest.mark.parametrize("options", [{"image_limit": 1}, {"image_min_size": 20}])
def test_figures_that_are_not_wanted_are_left_out(
    printed: Printed, options: dict[str, int]
) -> None:
    page = printed(include_blocks=True, **options)
    assert [image["id"] for image in page["images"]] == ["img-0.jpeg"]
    assert page["images"][0]["image_base64"] is None
    assert "img-1" not in page["markdown"] and "images/" not in page["markdown"]
    assert [b["image_id"] for b in page["blocks"] if b["type"] == "image"] == ["img-0.jpeg"]


def test_tables_stay_in_the_text_unless_a_format_is_asked_for(printed: Printed) -> None:
    page = printed()
    assert page["tables"] == [] and TABLE in page["markdown"]


@pytest.mark.parametrize(
    ("form", "name", "content"),
    [
        ("html", "tbl-0.html", TABLE),
        ("markdown", "tbl-0.md", "| a\\|b | 2 |\n| --- | --- |\n| wide |  |"),
    ],
)
def test_tables_are_taken_out_in_their_format(
    printed: Printed, form: str, name: str, content: str
) -> None:
    page = printed(table_format=form, include_blocks=True)
    assert page["tables"] == [{"id": name, "content": content, "format": form}]
    assert f"[{name}]({name})" in page["markdown"] and "<table" not in page["markdown"]
    assert [b["table_id"] for b in page["blocks"] if b["type"] == "table"] == [name]


def test_header_and_footer_are_taken_out_when_asked_for(printed: Printed) -> None:
    page = printed(extract_header=True, extract_footer=True)
    assert (page["header"], page["footer"]) == ("My journal", "7")
    assert page["markdown"].startswith("# Report") and not page["markdown"].endswith("7")
    kept = printed()
    assert kept["header"] is None and kept["markdown"].startswith("My journal")


def test_blocks_have_the_types_of_the_contract(printed: Printed) -> None:
    blocks = printed(include_blocks=True)["blocks"]
    types = [block["type"] for block in blocks]
    assert types == ["header", "title", "image", "image", "caption", "table", "footer"]
    title = blocks[1]
    assert (title["content"], title["top_left_x"], title["bottom_right_y"]) == ("# Report", 20, 20)


def test_words_have_scores_and_places_in_the_text(printed: Printed) -> None:
    page = printed(confidence_scores_granularity="word")
    scores = page["confidence_scores"]
    assert scores["minimum_page_confidence_score"] == 0.4
    assert scores["average_page_confidence_score"] == 0.7
    for word in scores["word_confidence_scores"]:
        start = word["start_index"]
        assert page["markdown"][start : start + len(word["text"])] == word["text"]


def test_page_and_block_scores_have_no_words(printed: Printed) -> None:
    page = printed(confidence_scores_granularity="page")
    assert "word_confidence_scores" not in page["confidence_scores"]
    blocks = printed(confidence_scores_granularity="block", include_blocks=True)["blocks"]
    assert blocks[1]["confidence_scores"] == {
        "average_content_confidence_score": 0.8,
        "minimum_content_confidence_score": 0.8,
        "block_type_confidence_score": 0.9,
    }


def test_scores_are_null_where_nothing_was_measured(http: TestClient) -> None:
    page = ask(http, PHOTO, confidence_scores_granularity="word").json()["pages"][0]
    assert page["confidence_scores"] is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"document_annotation_format": {"type": "json_schema"}}, "document_annotation_format"),
        ({"bbox_annotation_format": {"type": "json_schema"}}, "bbox_annotation_format"),
        ({"table_format": "latex"}, "table_format"),
        ({"pages": "1-x"}, "pages"),
        ({"pages": [9]}, "pages"),
        ({"pages": [-1]}, "pages.0"),
        ({"document": {"type": "document_url", "document_url": "https://a.test"}}, "document_url"),
    ],
)
def test_what_cannot_be_given_is_refused_with_its_field(
    http: TestClient, change: dict[str, Any], field: str
) -> None:
    answer = ask(http, document(["a"]), **change) if "document" not in change else None
    answer = answer or http.post("/v1/ocr", json={"model": None, **change})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", field]
    assert answer.json()["param"] == field
    assert answer.json()["object"] == "error"


def uploaded(http: TestClient, *pages: list[str], **headers: str) -> dict[str, Any]:
    answer = http.post(
        "/v1/files",
        files={"file": ("a.pdf", pdf(pages))},
        data={"purpose": "ocr"},
        headers=headers,
    )
    found: dict[str, Any] = answer.json()
    return found


def test_uploaded_file_is_read_by_its_id_and_by_its_link(http: TestClient) -> None:
    file = uploaded(http, ["uploaded"])
    url = http.get(f"/v1/files/{file['id']}/url", params={"expiry": 1}).json()["url"]
    by_link = ask(http, {"type": "document_url", "document_url": url})
    elsewhere = url.replace("http://testserver", "https://proxy.example/base")
    by_proxy = ask(http, {"type": "document_url", "document_url": elsewhere})
    by_id = ask(http, {"type": "file", "file_id": file["id"]})
    deleted = http.delete(f"/v1/files/{file['id']}").json()
    gone = ask(http, {"type": "document_url", "document_url": url})
    for answer in (by_link, by_proxy, by_id):
        assert answer.json()["pages"][0]["markdown"] == "uploaded"
    assert deleted == {"id": file["id"], "object": "file", "deleted": True}
    assert gone.status_code == 404


def test_link_with_another_signature_is_a_foreign_url(http: TestClient) -> None:
    url = http.get(f"/v1/files/{uploaded(http, ['a'])['id']}/url").json()["url"]
    answer = ask(http, {"type": "document_url", "document_url": url[:-1] + "x"})
    assert answer.status_code == 422


def test_uploaded_file_can_be_listed_and_downloaded(http: TestClient) -> None:
    file = uploaded(http, ["a"])
    listed = http.get("/v1/files").json()
    content = http.get(f"/v1/files/{file['id']}/content").content
    one = http.get("/v1/files", params={"page": 0, "page_size": 1, "order": "asc"})
    beyond = http.get("/v1/files", params={"page": 9**30, "page_size": 9**30}).json()
    other = http.get("/v1/files", params={"purpose": "batch"}).json()
    assert file["id"] in [one["id"] for one in listed["data"]]
    assert (len(one.json()["data"]), one.json()["total"]) == (1, listed["total"])
    assert one.headers["x-ignored-options"] == "order"
    assert (beyond["data"], beyond["total"]) == ([], listed["total"])
    assert (other["data"], other["total"]) == ([], 0)
    assert http.get("/v1/files", params={"page_size": -1}).json()["param"] == "page_size"
    assert content == pdf([["a"]])


def test_file_of_another_key_does_not_exist(client: Client) -> None:
    with client(api_keys=("one", "two")) as http:
        file = uploaded(http, ["a"], Authorization="Bearer one")
        own = http.get(f"/v1/files/{file['id']}", headers={"Authorization": "Bearer one"})
        other = http.get(f"/v1/files/{file['id']}", headers={"Authorization": "Bearer two"})
    assert (own.status_code, other.status_code) == (200, 404)


def test_upload_that_is_no_document_is_refused(http: TestClient) -> None:
    answer = http.post("/v1/files", files={"file": ("a.pdf", b"nothing")})
    assert answer.status_code == 415


def test_long_uploaded_file_is_read_as_a_job_and_kept(client: Client) -> None:
    with client(max_pages=2) as http:
        file = uploaded(http, *[[f"page {n}"] for n in range(5)])
        asked = {"type": "file", "file_id": file["id"]}
        answers = [ask(http, asked, pages="1-4", table_format="html").json() for _ in range(2)]
        jobs = http.get("/api/jobs").json()
    for answer in answers:
        assert [page["index"] for page in answer["pages"]] == [1, 2, 3, 4]
        assert answer["pages"][0]["markdown"] == "page 1"
    assert jobs["total"] == 0


def test_requests_of_open_webui_are_answered(http: TestClient) -> None:
    """Its `mistral_ocr` engine: upload, link, recognition, deletion. The form is that of aiohttp,
    whose parts have a type and a length."""
    data = pdf([["one"], ["two"]])
    form = (
        b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n"
        b'Content-Disposition: form-data; name="purpose"\r\n\r\nocr\r\n'
        b"--b\r\nContent-Type: application/pdf\r\nContent-Length: "
        + str(len(data)).encode()
        + b'\r\nContent-Disposition: form-data; name="file"; filename="my%20file.pdf"\r\n\r\n'
        + data
        + b"\r\n--b--\r\n"
    )
    headers = {"Authorization": "Bearer any", "User-Agent": "OpenWebUI-MistralLoader/2.0"}
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    file_id = http.post("/v1/files", content=form, headers={**headers, **kind}).json()["id"]
    url = http.get(f"/v1/files/{file_id}/url", params={"expiry": 1}, headers=headers).json()["url"]
    what = {"type": "document_url", "document_url": url}
    asked = {"model": "mistral-ocr-latest", "document": what, "include_image_base64": False}
    pages = http.post("/v1/ocr", json=asked, headers=headers).json()["pages"]
    deleted = http.delete(f"/v1/files/{file_id}", headers=headers)
    assert [(page["index"], page["markdown"]) for page in pages] == [(0, "one"), (1, "two")]
    assert deleted.status_code == 200
