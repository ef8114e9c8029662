"""What paperless-ngx does with Azure's SDK; prints what it gets, as JSON.

Runs in an environment of its own: python azure_client.py BASE_URL KEY PHOTO.jpg FILE.pdf
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

from azure.ai.documentintelligence import DocumentIntelligenceClient
from azure.ai.documentintelligence.models import AnalyzeDocumentRequest, AnalyzeOutputOption
from azure.core.credentials import AzureKeyCredential


def main(base: str, key: str, image: str, document: str) -> None:
    client = DocumentIntelligenceClient(endpoint=base, credential=AzureKeyCredential(key))
    found: dict[str, Any] = {
        "version": importlib.metadata.version("azure-ai-documentintelligence"),
        "photo": _analyzed(client, image),
        "pdf": _analyzed(client, document),
    }
    json.dump(found, sys.stdout)


def _analyzed(client: DocumentIntelligenceClient, path: str) -> dict[str, Any]:
    poller = client.begin_analyze_document(
        model_id="prebuilt-read",
        body=AnalyzeDocumentRequest(bytes_source=Path(path).read_bytes()),
        output_content_format="text",
        output=[AnalyzeOutputOption.PDF],
        content_type="application/json",
    )
    poller.wait()
    result = poller.result()
    operation = poller.details["operation_id"]
    pdf = b"".join(client.get_analyze_result_pdf(model_id="prebuilt-read", result_id=operation))
    words = [word.content for page in result.pages for word in page.words or ()]
    return {"text": result.content, "words": words, "searchable": pdf[:4].decode("latin-1")}


if __name__ == "__main__":
    main(*sys.argv[1:])
