"""What `docs/deploy.md` says of a Ray cluster, on three nodes of this machine."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
import yaml

from tests.batch.workspace.workspaces import make_documents
from tests.deploy.ray_cluster import ROOT, START_SECONDS, RayCluster, ray_cluster
from tests.deploy.test_ray_examples import environment_of, example
from tests.fakes import pdf
from tests.processes import reserved_port
from tests.waiting import DEADLINE_SECONDS, wait_until

pytestmark = pytest.mark.slow
NUM_NODES, NUM_PAGES = 3, 24
SMALL = {
    "DEEPSEEK_OCR_RAY__ENGINE": "ppocr",
    "DEEPSEEK_OCR_RAY__GPUS_PER_REPLICA": "0",
    "DEEPSEEK_OCR_RAY__CPUS_PER_REPLICA": "1",
    "DEEPSEEK_OCR_RAY__MIN_REPLICAS": str(NUM_NODES),
    "DEEPSEEK_OCR_RAY__MAX_REPLICAS": str(NUM_NODES),
}
"""In place of what the examples say of GPUs."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[RayCluster]:
    pytest.importorskip("ray")
    with ray_cluster(NUM_NODES, Path(sys.executable).parent) as cluster:
        yield cluster


@contextlib.contextmanager
def front_end(cluster: RayCluster) -> Iterator[httpx.Client]:
    """`dsocr serve` with the engine `ray` on the cluster."""
    with contextlib.closing(reserved_port()) as reservation:
        port = reservation.getsockname()[1]
        settings = {
            "DEEPSEEK_OCR_ENGINE": "ray",
            "DEEPSEEK_OCR_RAY__ADDRESS": cluster.address,
            "DEEPSEEK_OCR_RUNS_DIR": str(cluster.folder / "runs"),
        }
        with (cluster.folder / "front-end").open("wb") as log:
            server = subprocess.Popen(
                ["dsocr", "serve", "--port", str(port)],
                cwd=cluster.folder,
                env={**cluster.environment, **settings, **SMALL},
                stderr=log,
            )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as http:
                wait_until(lambda: is_ready(http), seconds=START_SECONDS)
                yield http
        finally:
            server.terminate()
            status = server.wait(DEADLINE_SECONDS)
            assert status == 0, (cluster.folder / "front-end").read_text()[-4000:]


def is_ready(http: httpx.Client) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return http.get("/ready").status_code == 200
    return False


def job(http: httpx.Client, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = http.get(f"/api/jobs/{job_id}").json()
    return found


def test_the_job_of_the_example_reads_a_batch_on_the_cluster(cluster: RayCluster) -> None:
    make_documents(cluster.folder / "in", 6)
    cluster.run("dsocr", "batch", "plan", "work", "in")
    resource = example("RayJob")
    variables = {**environment_of(resource), **SMALL}
    variables.pop("DEEPSEEK_OCR_MODEL_PATH")
    variables["DEEPSEEK_OCR_RAY__ADDRESS"] = cluster.address
    workspace = str(cluster.folder / "work")
    entrypoint = resource["spec"]["entrypoint"].replace("s3://bucket/work", workspace)
    runtime = json.dumps({"env_vars": variables})
    submit = ("ray", "job", "submit", "--address", cluster.dashboard, "--runtime-env-json", runtime)
    cluster.run(*submit, "--", *shlex.split(entrypoint), seconds=600)
    assert "Complete: every page is recorded once." in cluster.run(
        "dsocr", "batch", "verify", "work"
    )


def test_a_job_goes_on_when_a_node_of_the_deployed_application_is_lost(
    cluster: RayCluster,
) -> None:
    config = yaml.safe_load((ROOT / "deploy" / "ray" / "serve.yaml").read_text())
    [application] = config["applications"]
    application["runtime_env"]["env_vars"] = SMALL
    (cluster.folder / "serve.yaml").write_text(yaml.safe_dump(config))
    cluster.run("serve", "deploy", "--address", cluster.dashboard, "serve.yaml")
    with front_end(cluster) as http:
        assert http.get("/health").json()["engine"]["name"] == "ray"
        pages = pdf([[f"page {number}"] for number in range(NUM_PAGES)])
        accepted = http.post("/api/jobs", files={"file": ("many.pdf", pages)})
        job_id = accepted.json()["jobId"]
        wait_until(lambda: job(http, job_id)["pagesDone"] >= 3, seconds=START_SECONDS)
        cluster.kill_node(NUM_NODES - 1)
        wait_until(lambda: job(http, job_id)["finishedAt"], seconds=START_SECONDS)
        ended = job(http, job_id)
        export = http.get(f"/api/jobs/{job_id}/export", params={"format": "json"}).json()

    assert (ended["status"], ended["pagesDone"], ended["pagesFailed"]) == (
        "succeeded",
        NUM_PAGES,
        0,
    )
    assert [page["pageIndex"] for page in export["pages"]] == list(range(NUM_PAGES))
    assert all(f"page {number}" in page["text"] for number, page in enumerate(export["pages"]))
