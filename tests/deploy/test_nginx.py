"""nginx takes the configuration of the compose file and the one in `docs/deploy.md`."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CERTIFICATE, KEY = "/etc/ssl/ocr.example.org.pem", "/etc/ssl/ocr.example.org.key"
HOST = re.compile(r"server \S+:8000 ")
"""Of a front end. nginx looks names up when it reads them."""


def checked(configuration: str, folder: Path) -> None:
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin")
    if nginx is None:
        pytest.skip("needs nginx")
    assert len(HOST.findall(configuration)) == 2
    place = folder / "nginx.conf"
    place.write_text(f"pid {folder}/pid;\n" + HOST.sub("server 127.0.0.1:8000 ", configuration))
    command = [nginx, "-t", "-c", str(place), "-e", str(folder / "log")]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr


def test_the_configuration_of_the_compose_file_is_valid(tmp_path: Path) -> None:
    checked((ROOT / "deploy" / "nginx.conf").read_text(), tmp_path)


def test_the_configuration_in_the_documentation_is_valid(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    text = (ROOT / "docs" / "deploy.md").read_text()
    [server] = re.findall(r"```\n(upstream dsocr .*?)```", text, re.DOTALL)
    certificate, key = str(tmp_path / "certificate"), str(tmp_path / "key")
    request = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost")
    subprocess.run([*request, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    server = server.replace(CERTIFICATE, certificate).replace(KEY, key)
    assert certificate in server and key in server
    checked(f"events {{}}\nhttp {{\n{server}}}\n", tmp_path)
