"""Prints the JSON Schema of the JSON export.

python scripts/document_schema.py > docs/schema/dsocr-document-1.json
"""

from __future__ import annotations

import json

from dsocr.schema import document_schema

if __name__ == "__main__":
    print(json.dumps(document_schema(), indent=1, ensure_ascii=False))
