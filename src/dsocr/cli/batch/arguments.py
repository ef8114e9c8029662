"""Arguments that commands of `dsocr batch` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dsocr.batch.workspace.stores.store import is_cloud

WorkspaceArgument = Annotated[
    str,
    typer.Argument(
        metavar="WORKSPACE",
        help="A folder, or `s3://`, `gs://` or `az://` with the extra cloud.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON to standard output.")]
PasswordOption = Annotated[
    str | None,
    typer.Option(
        help="Password of protected PDFs; it is not stored in the workspace.", show_default=False
    ),
]


def local_folder(workspace: str) -> Path | None:
    return None if is_cloud(workspace) else Path(workspace)
