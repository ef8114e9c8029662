"""How a batch is reported when a command ends, and the exit status of the command."""

from __future__ import annotations

import json

from dsocr.batch.workspace.export import Exported
from dsocr.batch.workspace.report import Status
from dsocr.cli.batch.display import status_lines, status_values

WITH_FAILURES = 3
OVER_BUDGET = 4
INCOMPLETE = 5


def print_status(found: Status, *, as_json: bool) -> None:
    print(json.dumps(status_values(found)) if as_json else "\n".join(status_lines(found)))


def exit_code(found: Status) -> int:
    if not found.is_complete:
        return INCOMPLETE
    return WITH_FAILURES if found.failures else 0


def export_code(done: Exported) -> int:
    return INCOMPLETE if done.not_read else WITH_FAILURES if done.failed else 0
