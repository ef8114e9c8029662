"""Prints docs/openapi.json: what the service says of itself, for generators of clients.

python scripts/openapi.py > docs/openapi.json
"""

from __future__ import annotations

import json

from dsocr.config import Settings
from dsocr.server.app import create_app

if __name__ == "__main__":
    print(json.dumps(create_app(Settings()).openapi(), indent=1, ensure_ascii=False))
