"""Reads a file with Azure's SDK, in the calls of paperless-ngx, and prints what it found."""

import json
import sys
from pathlib import Path

from azure.ai.documentintelligence import DocumentIntelligenceClient
from azure.ai.documentintelligence.models import AnalyzeDocumentRequest, AnalyzeOutputOption
from azure.core.credentials import AzureKeyCredential

url, path, key = sys.argv[1:]
client = DocumentIntelligenceClient(endpoint=url, credential=AzureKeyCredential(key))
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
words = [word.content for page in result.pages for word in page.words]
print(
    json.dumps({"text": result.content, "words": words, "pdf": pdf[:4].decode(), "size": len(pdf)})
)
