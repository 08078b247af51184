"""compose.yaml as Compose itself understands it; tests/cluster runs what it says."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agenthub_events.agent_types import AGENT_TYPES, agent_type_of
from agenthub_runtime.bus_users.keys import login_of, public_key
from agenthub_runtime.bus_users.rights import worker_user
from agenthub_runtime.bus_users.secret_files import seed_file_of
from agenthub_runtime.bus_users.users_file import variable_of
from agenthub_runtime.jetstream.declared import nats_folder
from agenthub_runtime.settings.records import (
    read_gateway_settings,
    read_notifier_settings,
    read_orchestrator_settings,
    read_projector_settings,
    read_worker_settings,
)
from agenthub_runtime.settings.table import SETTINGS
from tests.support.compose import ROOT, compose_config, run_compose, secrets_folder

Service = Mapping[str, Any]

BUS = ("nats-1", "nats-2", "nats-3")
DATABASE_USERS = {"orchestrator", "projector", "gateway"}
# What each worker serves, and how many of it there are.
WORKERS: Mapping[str, tuple[set[str], int]] = {
    "coding-agent-worker": ({"coding"}, 3),
    "test-agent-worker": ({"testing"}, 2),
    "review-agent-worker": ({"review"}, 1),
    "debug-agent-worker": ({"debug"}, 1),
    "security-agent-worker": ({"security"}, 1),
    "architect-agent-worker": ({"architect", "planner"}, 1),
}
OURS = DATABASE_USERS | {"notifier"} | set(WORKERS)
ALWAYS = {*BUS, *OURS, "postgres", "edge"}
OBSERVING = {"otel-collector", "tempo", "loki", "prometheus", "alertmanager", "grafana"}
READERS: Mapping[str, Callable[[Mapping[str, str]], Any]] = {
    "orchestrator": read_orchestrator_settings,
    "projector": read_projector_settings,
    "gateway": read_gateway_settings,
    "notifier": read_notifier_settings,
    **dict.fromkeys(WORKERS, read_worker_settings),
}

VARIABLE = re.compile(r"\$(NATS_[A-Z_]+)")
HADOLINT = Path(sysconfig.get_path("scripts")) / "hadolint"


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return secrets_folder(tmp_path_factory.mktemp("compose") / "secrets", anthropic_api_key="sk-test-1234567890")


@pytest.fixture(scope="module")
def config(held: Path) -> dict[str, Any]:
    return compose_config({"AGENTHUB_SECRETS_DIR": str(held)}, "--profile", "*")


@pytest.fixture(scope="module")
def services(config: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = config["services"]
    return found


def environment_of(service: Service, held: Path, config: Mapping[str, Any]) -> dict[str, str]:
    """A service's environment, with its secrets where this machine has them."""
    files = {
        f"/run/secrets/{Path(secret.get('target', secret['source'])).name}": config["secrets"][secret["source"]][
            "file"
        ]
        for secret in service["secrets"]
    }
    return {name: files.get(value, value) for name, value in service["environment"].items()}


def test_compose_takes_the_file_and_starts_what_no_profile_holds_back(
    services: dict[str, Any], held: Path
) -> None:
    usual = compose_config({"AGENTHUB_SECRETS_DIR": str(held)})["services"]

    assert set(usual) == ALWAYS
    assert set(services) == ALWAYS | OBSERVING | {"mailpit"}


@pytest.mark.extra
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('    command: ["projector"]', '    comand: ["projector"]'),
        ("restart: always", "restart: [always]"),
        ("- jetstream_1:/data", "- jetstream_9:/data"),
        ("      - nats_ca\n      - masked", "      - nats_cb\n      - masked"),
        ("retries: 6", "retries: six"),
    ],
)
def test_a_mistake_in_the_file_would_be_found(before: str, after: str, held: Path, tmp_path: Path) -> None:
    text = (ROOT / "compose.yaml").read_text()
    assert before in text
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(re.sub(r"include:\n.*\n.*\n", "", text.replace(before, after, 1)))

    code, _, problems = run_compose("config", env={"AGENTHUB_SECRETS_DIR": str(held)}, file=wrong)

    assert code != 0
    assert problems


def test_everything_of_ours_is_one_image_whose_command_says_which_service(services: dict[str, Any]) -> None:
    assert {(services[name]["image"], services[name]["build"]["context"]) for name in OURS} == {
        ("agenthub:latest", str(ROOT))
    }
    assert {name: services[name]["command"] for name in OURS} == {
        **{name: [name] for name in ("notifier", *DATABASE_USERS)},
        **{name: ["worker"] for name in WORKERS},
    }
    assert 'ENTRYPOINT ["agenthub"]' in (ROOT / "Dockerfile").read_text().splitlines()


def test_every_agent_type_has_its_worker_under_the_name_that_people_know(services: dict[str, Any]) -> None:
    served = {
        name: {agent_type_of(word) for word in services[name]["environment"]["AGENT_TYPE"].split(",")}
        for name in WORKERS
    }

    assert served == {name: types for name, (types, _) in WORKERS.items()}
    assert set().union(*served.values()) == set(AGENT_TYPES) - {"noop"}


def test_replicas_are_those_that_people_expect(services: dict[str, Any]) -> None:
    replicas = {name: services[name].get("deploy", {}).get("replicas", 1) for name in ALWAYS}

    assert replicas == {
        **dict.fromkeys((*BUS, "postgres", "edge", "notifier", "projector"), 1),
        **dict.fromkeys(("orchestrator", "gateway"), 2),
        **{name: count for name, (_, count) in WORKERS.items()},
    }


def test_nothing_stands_in_the_way_of_scaling(services: dict[str, Any], held: Path) -> None:
    for name in OURS:
        named = [volume for volume in services[name].get("volumes", ()) if volume.get("source")]
        assert not named, "two containers of a service would share it"
        assert not {"container_name", "ports"} & set(services[name])
        assert "AGENTHUB_WORKER_NAME" not in services[name]["environment"]
    code, out, problems = run_compose("scale", "--help", env={"AGENTHUB_SECRETS_DIR": str(held)})
    assert (code, "SERVICE=REPLICAS" in out) == (0, True), problems


def test_stores_have_named_volumes_where_the_servers_write(config: dict[str, Any]) -> None:
    kept = {
        name: (volume["source"], volume["target"])
        for name, service in config["services"].items()
        for volume in service.get("volumes", ())
        if volume["type"] == "volume" and "source" in volume and name in ALWAYS
    }

    assert kept == {
        **{f"nats-{number}": (f"jetstream_{number}", "/data") for number in (1, 2, 3)},
        # Where the image of this major version keeps its cluster.
        "postgres": ("postgres_data", "/var/lib/postgresql/data"),
    }
    assert {config["services"][name]["environment"]["NATS_STORE_DIR"] for name in BUS} == {"/data"}
    assert config["services"]["postgres"]["image"].startswith("postgres:17-")


def test_the_api_and_the_web_ui_are_at_the_ports_that_people_know(services: dict[str, Any]) -> None:
    published = {
        name: [(port.get("host_ip", ""), port["published"], port["target"]) for port in service["ports"]]
        for name, service in services.items()
        if "ports" in service
    }

    assert published == {
        "edge": [("", "8000", 8000), ("", "3800", 8000)],
        "grafana": [("127.0.0.1", "3000", 3000)],
        "mailpit": [("127.0.0.1", "8025", 8025)],
    }
    edge = (ROOT / "deploy/edge/haproxy.cfg").read_text()
    assert f"gateway:{services['gateway']['environment']['AGENTHUB_PORT']}" in edge


def test_every_service_comes_back_after_its_death_and_gets_the_time_to_stop(services: dict[str, Any]) -> None:
    assert {service["restart"] for service in services.values()} == {"always"}
    assert {services[name]["stop_grace_period"] for name in OURS} == {"15s"}


def test_every_service_is_asked_for_its_health(services: dict[str, Any]) -> None:
    checks = {name: service.get("healthcheck", {}).get("test", [""]) for name, service in services.items()}
    environment = services["postgres"]["environment"]

    assert {check[0] for check in checks.values()} == {"CMD"}, checks
    assert checks["postgres"] == [
        *("CMD", "pg_isready", "-U", environment["POSTGRES_USER"], "-d", environment["POSTGRES_DB"])
    ]
    for name in OURS - {"gateway"}:
        assert f"http://{services[name]['environment']['AGENTHUB_METRICS']}/health/ready" in checks[name][-1]


def test_ours_run_as_a_numeric_user_and_only_workers_may_do_more_than_that(services: dict[str, Any]) -> None:
    assert {services[name]["user"] for name in OURS} == {"10001:10001"}
    assert "USER 10001:10001" in (ROOT / "Dockerfile").read_text().splitlines()
    opened = {name for name in OURS if services[name]["security_opt"] != ["no-new-privileges:true"]}

    assert opened == set(WORKERS)
    assert {tuple(services[name]["security_opt"]) for name in WORKERS} == {
        ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined")
    }
    confined = OURS - set(WORKERS)
    assert {(tuple(services[name]["cap_drop"]), services[name]["read_only"]) for name in confined} == {
        (("ALL",), True)
    }
    assert not any("privileged" in service or "cap_add" in service for service in services.values())


def test_no_secret_stands_in_the_file_or_in_an_environment(held: Path, config: dict[str, Any]) -> None:
    secret = {
        path.name: path.read_text().strip()
        for path in held.iterdir()
        if path.name not in ("nats_keys.env", "nats_hosts", "seal_keys") and path.read_text().strip()
    }
    shown = msgspec.json.encode(config).decode()

    assert len(secret) > 20
    assert [name for name, text in secret.items() if text in shown] == []
    assert {tuple(sorted(said)) for said in config["secrets"].values()} == {("file", "name")}


def test_every_file_of_a_secret_is_one_that_the_command_makes(held: Path, config: dict[str, Any]) -> None:
    assert [name for name, said in config["secrets"].items() if not Path(said["file"]).is_file()] == []
    assert {Path(said["file"]).parent for said in config["secrets"].values()} == {held}


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_services_settings_can_be_read(name: str, services: dict[str, Any], held: Path, config: Any) -> None:
    env = environment_of(services[name], held, config)
    known = {setting.name for setting in SETTINGS} | {"OTEL_EXPORTER_OTLP_HEADERS"}

    settings = READERS[name](env)

    assert {key.removesuffix("_FILE") for key in env} - known == set()
    login = login_of(settings.nats_url)
    assert [server.removeprefix("tls://") for server in login.servers] == [f"{server}:4222" for server in BUS]
    assert login.authority == str(held / "nats_ca.pem")
    if name == "orchestrator":
        assert settings.replicas == len(BUS)


def test_database_and_services_agree_on_user_and_password(
    services: dict[str, Any], held: Path, config: dict[str, Any]
) -> None:
    postgres = services["postgres"]["environment"]
    assert (postgres["POSTGRES_USER"], postgres["POSTGRES_PASSWORD_FILE"]) == (
        "agenthub",
        "/run/secrets/db_password",
    )
    told = {name: READERS[name](environment_of(services[name], held, config)) for name in DATABASE_USERS}
    owner, reader = ((held / name).read_text().strip() for name in ("db_password", "db_reader_password"))

    assert {name: settings.database_url for name, settings in told.items()} == {
        "projector": f"postgresql://agenthub:{owner}@postgres:5432/{postgres['POSTGRES_DB']}",
        "gateway": f"postgresql://agenthub_reader:{reader}@postgres:5432/{postgres['POSTGRES_DB']}",
        "orchestrator": f"postgresql://agenthub_reader:{reader}@postgres:5432/{postgres['POSTGRES_DB']}",
    }
    assert told["projector"].reader_password == reader


def test_every_service_has_the_key_of_its_own_user_and_of_no_other(
    services: dict[str, Any], held: Path, config: dict[str, Any]
) -> None:
    users = {
        **{name: name for name in ("notifier", *DATABASE_USERS)},
        **{name: worker_user(types) for name, (types, _) in WORKERS.items()},
    }
    public = services["nats-1"]["environment"]

    for name, user in users.items():
        login = login_of(READERS[name](environment_of(services[name], held, config)).nats_url)
        assert login.user == user
        assert login.seed == (held / seed_file_of(user)).read_text().strip()
        assert public[variable_of(user)] == public_key(login.seed)
        seeds = [s["source"] for s in services[name]["secrets"] if s["source"].startswith("nats_seed_")]
        assert seeds == [seed_file_of(user)]
    assert {name for name in OURS if "seal_key" in str(services[name]["secrets"])} == {"orchestrator"}
    assert not any(
        secret["source"].startswith("nats_seed") for name in BUS for secret in services[name]["secrets"]
    )


def test_the_servers_know_every_variable_that_their_configuration_names(services: dict[str, Any]) -> None:
    text = "".join((ROOT / path).read_text() for path in ("deploy/nats/cluster.conf", "nats/server.conf"))
    text += (nats_folder() / "users.conf").read_text()
    wanted = {
        found
        for line in text.splitlines()
        if not line.lstrip().startswith("#")
        for found in VARIABLE.findall(line)
    }

    for name in BUS:
        assert wanted - set(services[name]["environment"]) == set()
        assert services[name]["environment"]["NATS_NAME"] == name


def test_only_workers_get_the_key_of_the_model(services: dict[str, Any]) -> None:
    with_key = {name for name in ALWAYS if "anthropic_api_key" in str(services[name].get("secrets"))}

    assert with_key == set(WORKERS)


def test_goals_on_repositories_by_address_can_be_looked_at_worked_on_and_delivered(
    services: dict[str, Any],
) -> None:
    with_tokens = {name for name in OURS if "AGENTHUB_GIT_TOKENS_FILE" in services[name]["environment"]}

    assert with_tokens == {"gateway", "notifier", *WORKERS}
    assert all("git_tokens" in str(services[name]["secrets"]) for name in with_tokens)
    # A folder of the machine is none in a container.
    assert not any("AGENTHUB_EMBEDDED" in services[name]["environment"] for name in OURS)


def test_every_image_names_its_version(services: dict[str, Any]) -> None:
    images = {service["image"] for name, service in services.items() if name not in OURS}

    assert [image for image in images if not re.search(r":v?\d+\.?\d*", image)] == []


def test_what_is_bound_from_the_repository_is_there(services: dict[str, Any]) -> None:
    bound = [
        volume["source"]
        for service in services.values()
        for volume in service.get("volumes", ())
        if volume["type"] == "bind" and volume["source"].startswith(str(ROOT))
    ]

    assert len(bound) > 10
    assert [path for path in bound if not Path(path).exists()] == []


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    done = subprocess.run(
        [HADOLINT, ROOT / "Dockerfile"], capture_output=True, text=True, timeout=300, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_haproxy_takes_the_configuration_of_the_edge() -> None:
    command = ["haproxy", "-c", "-f", str(ROOT / "deploy/edge/haproxy.cfg")]
    done = subprocess.run(
        command,
        env={"PATH": "/usr/sbin:/usr/local/sbin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
