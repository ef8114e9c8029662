"""The Helm chart: what it renders is valid, and mistakes are named. No cluster is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

helm = pytest.importorskip("helm_python")
kubernetes_validate = pytest.importorskip("kubernetes_validate")
yaml = pytest.importorskip("yaml")

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm" / "dsocr"
FLEET = {
    "shared": True,
    "replicas": 3,
    "secretName": "dsocr",
    "env": {"DEEPSEEK_OCR_STORAGE_URL": "s3://files/jobs"},
    "networkPolicy": {"enabled": True},
    "serviceMonitor": {"enabled": True, "keySecretName": "dsocr-key"},
    "model": {"claimName": "weights"},
    "kernels": {"claimName": "kernels"},
}
OTHERS = {"ScaledObject", "ServiceMonitor"}
"""Kinds of other projects, whose schemas are not at hand."""


def rendered(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The resources, by kind."""
    manifests = helm.Chart.load(CHART).render(values, name="ocr", namespace="docs")
    found = [one for text in manifests.values() for one in yaml.safe_load_all(text) if one]
    return {one["kind"]: one for one in found}


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ({}, {"Deployment", "Service", "PersistentVolumeClaim"}),
        (
            FLEET,
            {"Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor"},
        ),
        (
            {"shared": True, "autoscaling": {"enabled": True}},
            {"Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"},
        ),
        (
            {"shared": True, "keda": {"enabled": True}},
            {"Deployment", "Service", "PodDisruptionBudget", "ScaledObject"},
        ),
    ],
)
@pytest.mark.parametrize("version", ["1.25.0", "1.33.0"])
def test_every_resource_is_valid(values: dict[str, Any], kinds: set[str], version: str) -> None:
    resources = rendered(values)
    assert set(resources) == kinds
    for kind, resource in resources.items():
        if kind not in OTHERS:
            kubernetes_validate.validate(resource, version, strict=True)


def test_the_chart_has_no_warnings() -> None:
    report = helm.chart.lint(CHART, {})
    assert report["errors"] == []
    assert [one for one in report["messages"] if one["severity"] > 1] == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"replicas": 2}, "need shared: true"),
        ({"autoscaling": {"enabled": True}}, "need shared: true"),
        ({"shared": True, "autoscaling": {"enabled": True}, "keda": {"enabled": True}}, "not both"),
    ],
)
def test_values_that_do_not_fit_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(helm.HelmRenderError, match=message):
        rendered(values)


def test_a_pod_has_no_rights_it_does_not_need() -> None:
    pod = rendered(FLEET)["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("name", ["compose.yaml", "compose.fleet.yaml"])
def test_every_volume_of_a_compose_file_is_declared(name: str) -> None:
    compose = yaml.safe_load((DEPLOY / name).read_text())
    used = {
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", [])
    }
    assert {volume for volume in used if not volume.startswith(".")} == set(compose["volumes"])
    for service in compose["services"].values():
        for dependency in service.get("depends_on", []):
            assert dependency in compose["services"]
