"""Which tests run where: the default run needs no GPU, no weights, no network."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from tests.postgres import PostgresServer, postgres_server
from tests.s3 import environment, new_bucket, s3_server

if not Path("/dev/nvidia0").exists():
    # kernels are defined by this when they are imported: without a GPU they are interpreted
    os.environ.setdefault("TRITON_INTERPRET", "1")
if "PYTEST_XDIST_WORKER" in os.environ:
    # there is a test process for each core: more threads in each only wait for one another
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
# how long an example takes depends on what else runs on the machine
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also run soaks and long fuzzing")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = {
        "slow": "" if config.getoption("--slow") else "a long test; run it with --slow",
        "gpu": "" if _has_cuda() else "needs a CUDA device",
        "weights": "" if _has_weights() else "needs the weights in DEEPSEEK_OCR_MODEL_PATH",
    }
    for item in items:
        for mark, reason in missing.items():
            if reason and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty bucket."""
    for name, value in environment(s3).items():
        monkeypatch.setenv(name, value)
    return new_bucket(s3)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The setting for a store of each kind; empty for SQLite in the runs folder."""
    if request.param == "sqlite":
        return ""
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests say what is set; the shell they are run from does not. Weights are the exception."""
    for name in list(os.environ):
        if name.startswith("DEEPSEEK_") and name != "DEEPSEEK_OCR_MODEL_PATH":
            monkeypatch.delenv(name)


def _has_cuda() -> bool:
    if importlib.util.find_spec("torch") is None or not Path("/dev/nvidiactl").exists():
        return False
    import torch

    return torch.cuda.is_available()


def _has_weights() -> bool:
    folder = os.environ.get("DEEPSEEK_OCR_MODEL_PATH")
    return folder is not None and next(Path(folder).glob("*.safetensors"), None) is not None
