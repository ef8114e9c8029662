"""What a user reads when a bucket cannot be used. The errors are those of obstore."""

from __future__ import annotations

import pytest

from dsocr.batch.workspace.stores.cloud_errors import message_of

LISTED = "Generic S3 error: Error performing list request: Error performing GET http://h/b"


@pytest.mark.parametrize(
    ("url", "error", "expected"),
    [
        (
            "s3://books/work",
            f"{LISTED} - Server returned non-2xx status code: 404 Not Found: <?xml?>\n"
            "<Error><Code>NoSuchBucket</Code></Error>",
            "There is no bucket 'books'",
        ),
        (
            "s3://books/work",
            "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token",
            "Set AWS_ACCESS_KEY_ID",
        ),
        ("az://books", "Generic MicrosoftAzure error: Account must be specified", "Set AZURE_ST"),
        ("gs://books", "Generic GCS error: Error performing token request: x", "Set GOOGLE_APP"),
        (
            "s3://books/work",
            "The operation lacked the necessary privileges: 403 Forbidden: <Error>",
            "The credentials do not allow this in s3://books/work",
        ),
        ("gs://books", "Generic GCS error: error sending request", "cannot be reached"),
        ("s3://books", "Generic S3 error: surprise\nmore", "s3://books cannot be used: Generic"),
    ],
)
def test_errors_of_buckets_say_what_to_do(url: str, error: str, expected: str) -> None:
    found = message_of(url, ValueError(error))
    assert expected in found
    assert "<" not in found and "\n" not in found and "169.254" not in found


def test_an_endpoint_without_encryption_names_its_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.delenv("AWS_ALLOW_HTTP", raising=False)
    found = message_of("s3://books", ValueError("HTTP error: builder error"))
    assert "Set AWS_ALLOW_HTTP=true" in found
