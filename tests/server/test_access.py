"""Who may ask: keys, origins, hosts; and what every answer carries."""

from __future__ import annotations

import pytest

from tests.fakes import png
from tests.server.conftest import Client

IMAGE = {"image": ("a.png", png(["words"]), "image/png")}
OPEN = {"/", "/live", "/ready", "/health"}
KEYS = ("first-key", "second-key")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer first-key"},
        {"Authorization": "bearer second-key"},
        {"Authorization": "token first-key"},
        {"X-Api-Key": "second-key"},
        {"Ocp-Apim-Subscription-Key": "first-key"},
    ],
)
def test_a_key_is_accepted_in_each_of_its_headers(client: Client, headers: dict[str, str]) -> None:
    with client(api_keys=KEYS) as http:
        assert http.get("/api/modes", headers=headers).status_code == 200
        assert http.post("/api/ocr", files=IMAGE, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer first-ke"},
        {"Authorization": "Basic first-key"},
        {"Authorization": "first-key"},
        {"X-Api-Key": ""},
        {"X-Api-Key": "first-key,second-key"},
        {"Cookie": "api_key=first-key"},
    ],
)
def test_wrong_or_misplaced_keys_are_refused(client: Client, headers: dict[str, str]) -> None:
    with client(api_keys=KEYS) as http:
        answer = http.post("/api/ocr?api_key=first-key&key=first-key", files=IMAGE, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == "unauthorized"
    assert "first-key" not in answer.text


def test_all_routes_except_the_open_ones_require_a_key(client: Client) -> None:
    with client(api_keys=KEYS) as http:
        described = http.get("/openapi.json", headers={"X-Api-Key": "first-key"}).json()["paths"]
        assert {"/api/ocr", "/api/modes"} <= set(described)
        for path, methods in {**described, "/openapi.json": {"get": {}}}.items():
            for method, operation in methods.items():
                status = http.request(method, path).status_code
                assert status == (200 if path in OPEN else 401), path
                assert ("security" in operation) == (path not in OPEN | {"/openapi.json"})
        assert http.get("/").status_code == 200


def test_by_default_any_origin_may_call_without_credentials(client: Client) -> None:
    with client() as http:
        answer = http.post("/api/ocr", files=IMAGE, headers={"Origin": "https://else.example"})

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


def test_with_a_list_of_origins_others_may_not_post(client: Client) -> None:
    with client(allowed_origins=("https://ours.example",)) as http:

        def post(origin: str) -> int:
            status: int = http.post("/api/ocr", files=IMAGE, headers={"Origin": origin}).status_code
            return status

        assert post("https://ours.example") == 200
        assert post("http://testserver") == 200  # the page that this service serves itself
        assert post("https://else.example") == 403
        assert post("null") == 403
        foreign = http.get("/health", headers={"Origin": "https://else.example"})
        assert "access-control-allow-origin" not in foreign.headers


def test_a_web_page_may_send_a_key_and_read_a_refusal(client: Client) -> None:
    with client(api_keys=KEYS) as http:
        asked = {
            "Origin": "https://page.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-api-key",
        }
        assert http.options("/api/ocr", headers=asked).status_code == 200
        refused = http.post("/api/ocr", files=IMAGE, headers={"Origin": "https://page.example"})

    assert refused.headers["access-control-allow-origin"] == "*"


def test_a_refused_preflight_has_the_error_shape(client: Client) -> None:
    with client(allowed_origins=("https://ours.example",)) as http:
        asked = {"Origin": "https://else.example", "Access-Control-Request-Method": "POST"}
        refused = http.options("/api/ocr", headers=asked)

    assert refused.status_code == 400
    assert refused.json()["error"]["requestId"] == refused.headers["x-request-id"]
    assert refused.json()["detail"] == "Disallowed CORS origin."
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("ocr.example.org", 200),
        ("OCR.example.org:8000", 200),
        ("a.lab.example", 200),
        ("lab.example", 421),
        ("evil.example", 421),
        ("ocr.example.org.evil.example", 421),
        ("ocr.example.org/live?x=", 421),
    ],
)
def test_with_a_list_of_hosts_others_are_misdirected(
    client: Client, host: str, status: int
) -> None:
    with client(allowed_hosts=("ocr.example.org", "*.lab.example")) as http:
        assert http.get("/live", headers={"Host": host}).status_code == status


def test_a_forged_host_does_not_bypass_the_key(client: Client) -> None:
    with client(api_keys=KEYS) as http:
        assert http.get("/api/modes", headers={"Host": "x/live?"}).status_code == 401


def test_every_response_has_a_request_id_and_security_headers(client: Client) -> None:
    with client() as http:
        for path in ("/", "/health", "/api/modes", "/nowhere"):
            headers = http.get(path).headers
            assert len(headers["x-request-id"]) == 32
            assert headers["x-content-type-options"] == "nosniff"
            policy = dict(
                part.split(" ", 1) for part in headers["content-security-policy"].split("; ")
            )
            assert policy["script-src"] == "'self'"
            assert policy["object-src"] == policy["frame-ancestors"] == "'none'"
            assert "http" not in policy["img-src"]
        assert http.get("/health").headers["cache-control"] == "no-store"
        own = http.get("/health", headers={"X-Request-Id": "trace-1.a_B"})
        forged = http.get("/health", headers={"X-Request-Id": "x" * 65})

    assert own.headers["x-request-id"] == "trace-1.a_B"
    assert len(forged.headers["x-request-id"]) == 32
