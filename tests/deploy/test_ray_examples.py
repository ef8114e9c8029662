"""The examples for Ray: valid for KubeRay, and what they start is there."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
import yaml

from dsocr.cli import app
from dsocr.config import Settings
from dsocr.engines.ray.config import RayConfig

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "deploy" / "ray"
SCHEMAS = json.loads((ROOT / "tests" / "data" / "schemas" / "kuberay.json").read_text())


def example(kind: str) -> dict[str, Any]:
    resource: dict[str, Any] = yaml.safe_load((EXAMPLES / f"{kind.lower()}.yaml").read_text())
    return resource


def cluster_of(resource: dict[str, Any]) -> dict[str, Any]:
    spec = resource["spec"]
    cluster: dict[str, Any] = spec.get("rayClusterSpec") or spec["rayClusterConfig"]
    return cluster


def pod_templates(resource: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = cluster_of(resource)
    return [group["template"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


def environment_of(resource: dict[str, Any]) -> dict[str, str]:
    """What the example sets for Ray's job or application."""
    spec = resource["spec"]
    if "runtimeEnvYAML" in spec:
        found: dict[str, str] = yaml.safe_load(spec["runtimeEnvYAML"])["env_vars"]
        return found
    [application] = yaml.safe_load(spec["serveConfigV2"])["applications"]
    return dict(application["runtime_env"]["env_vars"])


@pytest.mark.parametrize("kind", ["RayJob", "RayService"])
def test_an_example_is_valid_for_kuberay(kind: str) -> None:
    resource = example(kind)
    jsonschema.Draft202012Validator(SCHEMAS[kind]).validate(resource)
    assert (resource["apiVersion"], resource["kind"]) == ("ray.io/v1", kind)


@pytest.mark.parametrize("kind", ["RayJob", "RayService"])
def test_a_field_that_kuberay_does_not_know_is_found(kind: str) -> None:
    resource = example(kind)
    cluster_of(resource)["workerGroupSpecs"][0]["maxReplica"] = 1
    with pytest.raises(jsonschema.ValidationError, match="maxReplica"):
        jsonschema.Draft202012Validator(SCHEMAS[kind]).validate(resource)


@pytest.mark.parametrize("kind", ["RayJob", "RayService"])
@pytest.mark.slow
def test_the_pods_of_an_example_are_valid(kind: str) -> None:
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for template in pod_templates(example(kind)):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, **template}
        kubernetes_validate.validate(pod, "1.33.0", strict=True)


@pytest.mark.parametrize("kind", ["RayJob", "RayService"])
def test_an_example_sets_what_there_is(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment_of(example(kind)).items():
        monkeypatch.setenv(name, value)
    assert Settings.from_environment().ray.max_replicas == 8


def test_the_command_of_the_job_has_these_options() -> None:
    program, *arguments = shlex.split(example("RayJob")["spec"]["entrypoint"])
    command: Any = typer.main.get_command(app)
    assert program == "dsocr"
    while arguments and arguments[0] in getattr(command, "commands", {}):
        command = command.commands[arguments.pop(0)]
    context = command.make_context("run", arguments)
    assert context.params["workspace"].startswith("s3://") and context.params["on_ray"]


def test_both_examples_of_the_service_name_an_application_that_there_is() -> None:
    of_service = yaml.safe_load(example("RayService")["spec"]["serveConfigV2"])
    of_config = yaml.safe_load((EXAMPLES / "serve.yaml").read_text())
    for [application] in (of_service["applications"], of_config["applications"]):
        assert application["import_path"] == "dsocr.cli.ray_app:build"
        assert application["name"] == RayConfig().application
