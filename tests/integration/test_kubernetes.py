"""deploy/kubernetes, put together by kustomize and held against the schemas of Kubernetes and KEDA."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from jsonschema import Draft202012Validator
from kubernetes_validate.utils import ValidationError  # type: ignore[import-untyped]

from agenthub_events.agent_types import AGENT_TYPES
from agenthub_runtime.bus_users.keys import login_of
from agenthub_runtime.bus_users.secret_files import completed_files
from agenthub_runtime.settings.records import read_worker_settings
from agenthub_runtime.settings.table import SETTINGS
from tests.support.compose import ROOT, compose_config, secrets_folder

pytestmark = pytest.mark.extra

Manifest = dict[str, Any]
VERSIONS = ("1.33.1", "1.37.0")
SECRETS = "/run/secrets/agenthub/"


def kustomize() -> list[str]:
    """`.ci/run` names the program; a kubectl of today holds one too."""
    named = os.environ.get("KUSTOMIZE") or shutil.which("kustomize")
    return [named, "build"] if named else ["kubectl", "kustomize"]


def built(folder: str) -> list[Manifest]:
    done = subprocess.run(
        [*kustomize(), str(ROOT / "deploy/kubernetes" / folder)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module")
def base() -> list[Manifest]:
    return built("base")


@pytest.fixture(scope="module")
def scaled() -> list[Manifest]:
    return built("scaled")


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return secrets_folder(tmp_path_factory.mktemp("kubernetes") / "secrets")


def of(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    return {found["metadata"]["name"]: found for found in manifests if found["kind"] == kind}


def ours(manifests: list[Manifest]) -> dict[str, Manifest]:
    return of(manifests, "Deployment")


def pod_of(workload: Manifest) -> tuple[Manifest, Manifest]:
    """The pod's specification and its only container's."""
    pod = workload["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    return pod, container


def env_of(workload: Manifest) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in pod_of(workload)[1]["env"]}


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_schemas_take_every_manifest_strictly(base: list[Manifest], version: str) -> None:
    for manifest in base:
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize(
    ("place", "key", "value"),
    [
        (("spec",), "replica", 2),
        (("spec", "template", "spec"), "hostUser", False),
        (("spec", "template", "spec", "containers", 0, "livenessProbe"), "httpGett", {}),
        (("spec", "template", "spec", "containers", 0, "securityContext"), "procMount", 7),
        (("spec", "template", "spec", "containers", 0), "env", {"NATS_URL": "x"}),
    ],
)
def test_a_mistake_would_be_found(place: tuple[Any, ...], key: str, value: object) -> None:
    wrong = ours(built("base"))["coding-agent-worker"]
    spot: Any = wrong
    for step in place:
        spot = spot[step]
    spot[key] = value
    with pytest.raises(ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def without_unknown_fields(schema: Any) -> Any:
    """A schema that takes no field which it does not name."""
    if isinstance(schema, list):
        return [without_unknown_fields(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if "properties" in schema else {}
    return {**{key: without_unknown_fields(value) for key, value in schema.items()}, **closed}


@pytest.fixture(scope="module")
def keda() -> Draft202012Validator:
    """The schema of a ScaledObject, out of a package that is made of KEDA's own definition."""
    ask = "import json\nfrom cloudcoil.models.keda.v1alpha1 import ScaledObject as kind\n"
    code = f"{ask}print(json.dumps(kind.model_json_schema(by_alias=True)))"
    env = {**os.environ, "PYTHONPATH": str(Path(sys.prefix) / "schemas")}
    done = subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True)
    return Draft202012Validator(without_unknown_fields(json.loads(done.stdout)))


def test_keda_takes_what_scales_the_workers(scaled: list[Manifest], keda: Draft202012Validator) -> None:
    found = of(scaled, "ScaledObject")
    assert [error.message for manifest in found.values() for error in keda.iter_errors(manifest)] == []
    assert set(found) == {name for name, workload in ours(scaled).items() if is_worker(workload)}
    for name, manifest in found.items():
        assert manifest["spec"]["scaleTargetRef"] == {"name": name}
        assert "replicas" not in ours(scaled)[name]["spec"], "KEDA alone says how many"


@pytest.mark.parametrize(
    ("key", "value"),
    [("maxReplicas", 3), ("maxReplicaCount", "many"), ("triggers", None), ("triggers", [{"kind": "nats"}])],
)
def test_a_mistake_in_the_scaling_would_be_found(
    scaled: list[Manifest], keda: Draft202012Validator, key: str, value: object
) -> None:
    wrong = of(scaled, "ScaledObject")["coding-agent-worker"]
    spec = {**wrong["spec"], key: value}

    assert list(keda.iter_errors({**wrong, "spec": spec}))


def is_worker(workload: Manifest) -> bool:
    return bool(workload["metadata"]["namespace"] == "agenthub-workers")


def test_a_worker_follows_every_lane_of_its_types(scaled: list[Manifest]) -> None:
    declared = {path.stem for path in (ROOT / "nats/consumers/EVENTS").glob("work-*.json")}
    followed = set()
    for name, manifest in of(scaled, "ScaledObject").items():
        env = {**env_of(ours(scaled)[name]), "NATS_CA": "", "NATS_SEED_FILE": ""}
        types = read_worker_settings({k: v for k, v in env.items() if not k.endswith("_FILE")}).agent_types
        lanes = {trigger["metadata"]["consumer"] for trigger in manifest["spec"]["triggers"]}
        assert lanes == {f"work-{kind}-{lane}" for kind in types for lane in ("p0", "p1", "p2", "p3")}
        assert {trigger["metadata"]["account"] for trigger in manifest["spec"]["triggers"]} == {"HUB"}
        followed |= lanes
    assert followed <= declared
    assert {lane.split("-")[1] for lane in followed} == set(AGENT_TYPES) - {"noop"}


def test_every_service_of_compose_runs_here_with_the_same_settings(base: list[Manifest], held: Path) -> None:
    services = compose_config({"AGENTHUB_SECRETS_DIR": str(held)})["services"]
    theirs = {name: service for name, service in services.items() if "build" in service}

    assert set(ours(base)) == set(theirs)
    for name, workload in ours(base).items():
        said = {key: value for key, value in theirs[name]["environment"].items() if value}
        assert set(env_of(workload)) - {"AGENTHUB_METRICS"} == set(said) - {"AGENTHUB_METRICS"}, name
        assert pod_of(workload)[1]["args"] == theirs[name]["command"]
        assert workload["spec"]["replicas"] == theirs[name].get("deploy", {}).get("replicas", 1)
        assert {key.removesuffix("_FILE") for key in env_of(workload)} <= {setting.name for setting in SETTINGS}


def test_every_secret_is_a_file_that_the_command_makes_and_reaches_who_names_it(base: list[Manifest]) -> None:
    made = set(completed_files({})[0])
    for workload in (*ours(base).values(), *of(base, "StatefulSet").values()):
        pod, container = pod_of(workload)
        (volume,) = [volume for volume in pod["volumes"] if "secret" in volume]
        items = {item["path"]: item["key"] for item in volume["secret"]["items"]}
        text = yaml.safe_dump(container["env"])
        named = {word.strip("\"'").rpartition("/")[2] for word in text.split() if SECRETS in word}
        assert set(items.values()) <= made
        assert named == set(items), workload["metadata"]["name"]
        assert "nats_ca.key" not in items.values()


def test_workers_get_no_secret_of_the_rest_and_the_rest_none_of_a_model(base: list[Manifest]) -> None:
    given: dict[str, set[str]] = {}
    for workload in ours(base).values():
        (volume,) = [volume for volume in pod_of(workload)[0]["volumes"] if "secret" in volume]
        keys = {item["key"] for item in volume["secret"]["items"]}
        given.setdefault(volume["secret"]["secretName"], set()).update(keys)

    assert set(given) == {"agenthub", "agenthub-workers"}
    assert "anthropic_api_key" not in given["agenthub"]
    assert (
        not {"db_password", "db_reader_password", "seal_key", "api_keys", "link_key"} & given["agenthub-workers"]
    )


def test_all_are_asked_for_their_health_run_as_a_number_and_cannot_become_more(base: list[Manifest]) -> None:
    for name, workload in (ours(base) | of(base, "StatefulSet")).items():
        pod, container = pod_of(workload)
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container), name
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe].get("httpGet", {}).get("port", next(iter(ports))) in ports
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert isinstance(pod["securityContext"]["runAsUser"], int)
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert pod["automountServiceAccountToken"] is False
        if not is_worker(workload):
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}


def test_workers_alone_may_make_user_namespaces_in_a_namespace_of_their_own(base: list[Manifest]) -> None:
    namespaces = of(base, "Namespace")
    label = "pod-security.kubernetes.io/enforce"

    assert {name: found["metadata"]["labels"][label] for name, found in namespaces.items()} == {
        "agenthub": "restricted",
        "agenthub-workers": "privileged",
    }
    for workload in ours(base).values():
        pod, container = pod_of(workload)
        open_ones = {pod.get("hostUsers"), container["securityContext"].get("procMount")}
        assert open_ones == ({False, "Unmasked"} if is_worker(workload) else {None})


def test_what_runs_more_than_once_is_not_taken_away_all_at_once(base: list[Manifest]) -> None:
    several = {name for name, workload in ours(base).items() if workload["spec"]["replicas"] > 1} | {"nats"}
    budgets = of(base, "PodDisruptionBudget")

    assert set(budgets) == several
    for name, budget in budgets.items():
        workload = (ours(base) | of(base, "StatefulSet"))[name]
        assert budget["metadata"]["namespace"] == workload["metadata"]["namespace"]
        assert budget["spec"]["selector"] == workload["spec"]["selector"]


def test_services_find_each_other_by_names_of_the_certificate(base: list[Manifest], held: Path) -> None:
    nats = of(base, "StatefulSet")["nats"]
    names = [f"nats-{number}.nats.agenthub.svc" for number in range(nats["spec"]["replicas"])]
    hosts = (held / "nats_hosts").read_text().split()

    assert "*.nats.agenthub.svc" in hosts
    assert all(name in env_of(nats)["NATS_ROUTES"] for name in names)
    for workload in ours(base).values():
        servers = login_of(env_of(workload)["NATS_URL"]).servers
        assert [server.removeprefix("tls://").partition("@")[2] for server in servers] == [
            f"{n}:4222" for n in names
        ]
    ports = {name: service["spec"]["ports"] for name, service in of(base, "Service").items()}
    assert set(ports) == {"nats", "postgres", "gateway"}


def test_the_bus_reads_the_files_that_everybody_reads(base: list[Manifest]) -> None:
    files: Mapping[str, str] = {
        name: text for found in of(base, "ConfigMap").values() for name, text in found["data"].items()
    }

    assert files == {
        path.name: path.read_text()
        for path in (ROOT / "nats/server.conf", ROOT / "nats/users.conf", ROOT / "deploy/nats/cluster.conf")
    }
