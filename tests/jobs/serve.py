"""The service in its own process with the fake engine, for tests that kill it.

python -m tests.jobs.serve RUNS_DIR PORT SECONDS_PER_PAGE [{"jobs": {...}, "server": {...}}]
"""

import json
import sys
from pathlib import Path

from dsocr.engines import registry
from tests.fakes import FakeEngine

runs_dir, port, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
given = json.loads(sys.argv[4]) if len(sys.argv) > 4 else {}
registry.create = lambda name, config: FakeEngine(seconds=seconds)

from dsocr.config import ServerConfig, Settings  # noqa: E402
from dsocr.jobs.config import JobsConfig  # noqa: E402
from dsocr.server.serve import run  # noqa: E402

run(
    Settings(
        engine="ppocr",
        runs_dir=runs_dir,
        server=ServerConfig(**given.get("server", {})),
        jobs=JobsConfig(**{"min_free_mb": 1, **given.get("jobs", {})}),
    ),
    "127.0.0.1",
    port,
)
