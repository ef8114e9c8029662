"""Reads a file with the `tika` package and prints what it found as JSON."""

import json
import os
import sys

url, path, key = sys.argv[1:]
os.environ["TIKA_CLIENT_ONLY"] = "True"  # otherwise it downloads and starts Tika itself
os.environ["TIKA_SERVER_ENDPOINT"] = url

from tika import parser  # noqa: E402

headers = {"X-Api-Key": key}
parsed = parser.from_file(path, headers=headers)
text = parser.from_file(path, service="text", headers=headers)
pages = parsed["metadata"]["xmpTPg:NPages"]
print(json.dumps({"text": parsed["content"], "plain": text["content"], "pages": pages}))
