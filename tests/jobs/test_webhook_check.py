"""A receiver checks callbacks with the library of Standard Webhooks, as docs/jobs.md shows."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from dsocr.jobs.webhook_signature import SIGNATURE_HEADER, signed_headers

DOCS = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text("utf-8")
BODY = b'{"jobId": "a", "status": "succeeded"}'
SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes !!!").decode()
PLAIN = "a secret of another form"


@pytest.fixture(scope="module")
def verified() -> Any:
    """The function of the example in the documentation."""
    (example,) = re.findall(r"^```python\n(.*?)^```", DOCS, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(compile(example, "docs/jobs.md", "exec"), names)
    return names["verified"]


@pytest.mark.parametrize("secret", [SECRET, PLAIN])
def test_a_callback_passes_the_check_of_the_documentation(verified: Any, secret: str) -> None:
    headers = signed_headers(secret, "a-1", int(time.time()), BODY)
    assert verified(BODY, headers, secret) == {"jobId": "a", "status": "succeeded"}


def test_a_changed_a_foreign_and_an_old_callback_are_refused(verified: Any) -> None:
    now = int(time.time())
    headers = signed_headers(SECRET, "a-1", now, BODY)
    with pytest.raises(WebhookVerificationError):
        verified(BODY.replace(b"succeeded", b"failed"), headers, SECRET)
    with pytest.raises(WebhookVerificationError):
        verified(BODY, {**headers, "webhook-id": "a-2"}, SECRET)
    with pytest.raises(WebhookVerificationError):
        verified(BODY, headers, PLAIN)
    with pytest.raises(WebhookVerificationError):
        verified(BODY, signed_headers(SECRET, "a-1", now - 3600, BODY), SECRET)


def test_one_of_several_signatures_is_enough_while_a_secret_is_replaced(verified: Any) -> None:
    headers = signed_headers(SECRET, "a-1", int(time.time()), BODY)
    headers[SIGNATURE_HEADER] = f"v1,AAAA {headers[SIGNATURE_HEADER]}"
    assert verified(BODY, headers, SECRET)["jobId"] == "a"
