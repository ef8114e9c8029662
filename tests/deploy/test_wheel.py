"""The wheel in an environment of its own: nothing of the checkout is needed to serve."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.fakes import png
from tests.processes import reserved_port
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
INSTALL_SECONDS = 1800
START_SECONDS = 300


def run(*command: str | Path, cwd: Path = ROOT) -> None:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        timeout=INSTALL_SECONDS,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def built_wheel(folder: Path) -> Path:
    """With the web page, which is built first where it is not."""
    if not (ROOT / "frontend" / "dist" / "index.html").is_file():
        run("npm", "--prefix", "frontend", "run", "--silent", "build")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", folder, ROOT)
    (wheel,) = folder.glob("dsocr-*.whl")
    return wheel


def test_the_wheel_serves_the_page_and_reads_a_picture(tmp_path: Path) -> None:
    python = tmp_path / "environment" / "bin" / "python"
    run(sys.executable, "-m", "venv", tmp_path / "environment")
    wheel = built_wheel(tmp_path)
    constraints = ("-c", ROOT / "constraints.txt")
    run(python, "-m", "pip", "install", "-q", *constraints, f"{wheel}[cloud,postgres]")
    with contextlib.closing(reserved_port()) as reservation:
        port = reservation.getsockname()[1]
        command = [python.with_name("dsocr"), "serve", "--engine", "ppocr", "--port", str(port)]
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
        with (tmp_path / "log").open("wb") as log:
            server = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=log)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=START_SECONDS) as http:
                wait_until(lambda: is_ready(http), seconds=START_SECONDS)
                assert '<div id="root">' in http.get("/").text
                answer = http.post("/api/ocr", files={"image": ("a.png", png(["a page"]))})
                assert answer.status_code == 200, answer.text
        finally:
            server.terminate()
            server.wait(START_SECONDS)


def is_ready(http: httpx.Client) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return http.get("/ready").status_code == 200
    return False
