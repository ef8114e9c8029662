"""The OpenAI API: chat completions, responses and models."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from dsocr.server.contracts.openai.answer import Totals
from dsocr.server.contracts.openai.chat import _usage
from tests.fakes import pdf, png
from tests.server.conftest import Client

CHAT = "/v1/chat/completions"


def data_url(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def image_part(*lines: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_url(png(lines), "image/png")}}


def file_part(*pages: list[str]) -> dict[str, Any]:
    data = data_url(pdf(pages), "application/pdf")
    return {"type": "file", "file": {"file_data": data, "filename": "a.pdf"}}


def user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def ask(http: TestClient, *parts: dict[str, Any], **options: Any) -> Any:
    return http.post(CHAT, json={"model": "m", "messages": user(*parts), **options})


def chunks(text: str) -> list[Any]:
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def test_image_of_a_message_is_answered_with_its_text(http: TestClient) -> None:
    answer = ask(http, image_part("Invoice 4711"), max_tokens=100000).json()
    choice = answer["choices"][0]
    assert choice["message"]["content"] == "Invoice 4711"
    assert choice["finish_reason"] == "stop"
    assert answer["object"] == "chat.completion"
    assert answer["usage"] == {"prompt_tokens": 0, "completion_tokens": 2, "total_tokens": 2}


def test_drafted_tokens_are_predicted_ones() -> None:
    totals = Totals(prompt_tokens=3, completion_tokens=9, drafted_tokens=8, accepted_tokens=5)
    assert _usage(totals) == {
        "prompt_tokens": 3,
        "completion_tokens": 9,
        "total_tokens": 12,
        "completion_tokens_details": {
            "accepted_prediction_tokens": 5,
            "rejected_prediction_tokens": 3,
        },
    }


def test_pages_of_a_pdf_are_joined_as_in_the_own_api(http: TestClient) -> None:
    answer = ask(http, file_part(["one"], ["two"])).json()
    own = http.post("/api/ocr", files={"image": ("a.pdf", pdf([["one"], ["two"]]))}).json()
    assert answer["choices"][0]["message"]["content"] == own["text"] == "one\n\n---\n\ntwo"


def test_stream_adds_up_to_the_answer_and_ends_with_usage(http: TestClient) -> None:
    pages = [["Head of all pages", f"content {n}", "more"] for n in range(12)]
    options = {"stream": True, "stream_options": {"include_usage": True}}
    plain = ask(http, file_part(*pages)).json()
    streamed = ask(http, file_part(*pages), **options)
    found = chunks(streamed.text)
    text = "".join(c["choices"][0]["delta"].get("content", "") for c in found[:-1])
    assert text == plain["choices"][0]["message"]["content"]
    assert found[-1]["usage"] == plain["usage"] and found[-1]["choices"] == []
    assert streamed.text.endswith("data: [DONE]\n\n")


def test_looping_page_finishes_with_length(http: TestClient) -> None:
    answer = ask(http, image_part("@loop")).json()
    assert answer["choices"][0]["finish_reason"] == "length"


def test_raw_output_is_given_when_special_tokens_are_kept(http: TestClient) -> None:
    answer = ask(http, image_part("words"), skip_special_tokens=False).json()
    assert answer["choices"][0]["message"]["content"].startswith("<|ref|>text<|/ref|><|det|>[[")


def test_options_without_effect_are_reported(http: TestClient) -> None:
    part = image_part("a")
    part["image_url"]["detail"] = "high"
    recipe = {"ngram_size": 30, "window_size": 90, "whitelist_token_ids": [1]}
    response = ask(http, part, seed=1, presence_penalty=0.5, user="me", vllm_xargs=recipe)
    names = response.headers["x-ignored-options"].split(", ")
    assert names == ["detail", "presence_penalty", "seed", "user", "vllm_xargs.whitelist_token_ids"]


def test_recipe_of_the_authors_has_no_option_without_effect(http: TestClient) -> None:
    ids = [128821, 128822]
    recipe = {"ngram_size": 30, "window_size": 90, "whitelist_token_ids": ids}
    response = ask(http, image_part("a"), skip_special_tokens=False, vllm_xargs=recipe)
    assert "x-ignored-options" not in response.headers


def test_invalid_field_is_named_by_its_path_not_by_a_type(http: TestClient) -> None:
    answer = ask(http, {"type": "input_audio", "input_audio": {}})
    message = answer.json()["error"]["message"]
    assert message.startswith("messages.0.content.0: Input tag 'input_audio'")


def test_characters_that_are_no_base64_are_named(http: TestClient) -> None:
    url = data_url(png(["a"]), "image/png")
    answers = [
        ask(http, {"type": "image_url", "image_url": {"url": changed}})
        for changed in (url.replace("A", "%", 1), url[:60] + "\r\n " + url[60:])
    ]
    assert [answer.status_code for answer in answers] == [422, 200]
    assert answers[0].json()["error"]["message"] == "image_url: the base64 is malformed"


def test_prompt_that_the_engine_cannot_follow_is_ignored(http: TestClient) -> None:
    text = {"type": "text", "text": "Describe this image in detail."}
    response = ask(http, text, image_part("a"))
    assert response.json()["choices"][0]["message"]["content"] == "a"
    assert response.headers["x-ignored-options"] == "prompt"


@pytest.mark.parametrize(
    "change",
    [
        {"n": 2},
        {"logprobs": True},
        {"response_format": {"type": "json_object"}},
        {"temperature": 7},
        {"pages": "9"},
        {"tool_choice": "required"},
        {"messages": user({"type": "text", "text": "hello"})},
        {"messages": user({"type": "image_url", "image_url": {"url": "http://a.test/b.png"}})},
    ],
)
def test_what_cannot_be_given_is_refused_in_the_shape_of_the_contract(
    http: TestClient, change: dict[str, Any]
) -> None:
    answer = ask(http, image_part("a"), **change)
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"].startswith(f"{error['param']}: ")


def test_error_of_a_broken_file_comes_before_the_stream(http: TestClient) -> None:
    part = {"type": "image_url", "image_url": {"url": data_url(b"no image", "image/png")}}
    answer = ask(http, part, stream=True)
    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "not_a_document"


def test_failed_page_is_an_error_in_the_stream(http: TestClient) -> None:
    answer = ask(http, image_part("@crash"), stream=True)
    assert chunks(answer.text)[-1]["error"]["code"] == "engine_crash"


def test_key_of_the_service_is_the_bearer_token(client: Client) -> None:
    with client(api_keys=("secret",)) as http:
        refused = http.get("/v1/models")
        listed = http.get("/v1/models", headers={"Authorization": "Bearer secret"}).json()
        model = http.get("/v1/models/fake-1", headers={"Authorization": "Bearer secret"})
    assert refused.status_code == 401
    assert refused.json()["error"]["type"] == "authentication_error"
    assert [one["id"] for one in listed["data"]] == ["deepseek-ocr", "fake-1"]
    assert model.json()["id"] == "fake-1"


def test_long_document_is_read_as_a_job_that_leaves_nothing(client: Client) -> None:
    pages = [[f"page {n}"] for n in range(5)]
    with client(max_pages=2) as http:
        answer = ask(http, file_part(*pages)).json()
        streamed = ask(http, file_part(*pages), stream=True, pages="2-5")
        jobs = http.get("/api/jobs").json()
    text = answer["choices"][0]["message"]["content"]
    assert text == "\n\n---\n\n".join(f"page {n}" for n in range(5))
    deltas = [c["choices"][0]["delta"].get("content", "") for c in chunks(streamed.text)]
    assert "".join(deltas) == "\n\n---\n\n".join(f"page {n}" for n in range(1, 5))
    assert jobs["total"] == 0


def response_input(*lines: str) -> list[dict[str, Any]]:
    url = data_url(png(lines), "image/png")
    text = {"type": "input_text", "text": "Free OCR."}
    return [{"role": "user", "content": [text, {"type": "input_image", "image_url": url}]}]


def test_response_has_the_text_as_its_output(http: TestClient) -> None:
    answer = http.post("/v1/responses", json={"model": "m", "input": response_input("a b")})
    body = answer.json()
    assert body["status"] == "completed"
    assert body["output"][0]["content"][0]["text"] == "a b"
    assert body["usage"]["output_tokens"] == 2


def test_events_of_a_response_are_numbered_and_add_up(http: TestClient) -> None:
    asked = {"model": "m", "input": response_input("a b", "c"), "stream": True}
    answer = http.post("/v1/responses", json=asked)
    events = chunks(answer.text)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "response.created"
    assert events[-1]["type"] == "response.completed"
    deltas = [e["delta"] for e in events if e["type"] == "response.output_text.delta"]
    assert "".join(deltas) == events[-1]["response"]["output"][0]["content"][0]["text"]


def test_response_that_needs_stored_state_is_refused(http: TestClient) -> None:
    asked = {"input": response_input("a"), "previous_response_id": "resp_1"}
    answer = http.post("/v1/responses", json=asked)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"].startswith("previous_response_id")


def test_response_without_a_file_is_refused_by_the_name_of_its_field(http: TestClient) -> None:
    answer = http.post("/v1/responses", json={"model": "m", "input": "hello"})
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == "input"
    assert "input_image" in answer.json()["error"]["message"]
