"""The service in its own process with the fake engine, for tests that kill it.

python -m tests.jobs.serve RUNS_DIR PORT SECONDS_PER_PAGE [{"jobs": {...}, "server": {...}}]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(arguments: list[str]) -> None:
    # the parent, which is the test, does not import the service for the sake of a name
    from dsocr.config import ServerConfig, Settings
    from dsocr.engines import registry
    from dsocr.jobs.config import JobsConfig
    from dsocr.server.serve import run
    from tests.fakes import FakeEngine

    runs_dir, port, seconds = Path(arguments[0]), int(arguments[1]), float(arguments[2])
    given = json.loads(arguments[3]) if len(arguments) > 3 else {}
    registry.create = lambda name, config: FakeEngine(seconds=seconds)
    settings = Settings(
        engine="ppocr",
        runs_dir=runs_dir,
        server=ServerConfig(**given.get("server", {})),
        jobs=JobsConfig(**{"min_free_mb": 1, **given.get("jobs", {})}),
    )
    run(settings, "127.0.0.1", port)


if __name__ == "__main__":
    main(sys.argv[1:])
