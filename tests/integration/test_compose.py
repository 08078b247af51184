"""The multi-machine deployment, as far as it can be shown without a container engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import compose_spec
import httpx2
import msgspec
import pytest

from agenthub_events.agent_types import AGENT_TYPES, agent_type_of
from agenthub_runtime.bus_users.env_file import completed
from agenthub_runtime.bus_users.keys import login_of, public_key, with_login
from agenthub_runtime.bus_users.rights import ADMIN, worker_user
from agenthub_runtime.bus_users.users_file import seed_variable_of, variable_of
from agenthub_runtime.embedded.data_folder import DataDir, Secrets
from agenthub_runtime.embedded.servers.nats import find_nats_server
from agenthub_runtime.embedded.servers.pg_programs import find_pg_bin, program_env
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.fleet import WorkerStatus
from tests.support.compose import ROOT, read_compose
from tests.support.servers import running_postgres
from tests.support.until import until

Service = Mapping[str, Any]

KEYS = dict(line.split("=") for line in completed("")[0].splitlines())
SECRETS = {
    "DB_PASSWORD": "db",
    "DB_READER_PASSWORD": "reader-of-the-db",
    "AGENTHUB_API_KEYS": "person:key-of-a-person-1234567890",
    **KEYS,
}
# A person's own tools may use the others.
KEYS_IN_USE = sorted(
    name for name in KEYS if name.startswith("NATS_KEY_") or f"{{{name}:" in (ROOT / "compose.yaml").read_text()
)
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


@pytest.fixture
def services() -> dict[str, Any]:
    found: dict[str, Any] = read_compose(SECRETS)["services"]
    return found


def test_the_file_follows_the_compose_specification() -> None:
    parsed = compose_spec.PyCompose.from_json(json.dumps(read_compose(SECRETS)))

    assert set(parsed.service_names()) == {"nats", "postgres", *OURS}


def test_everything_of_ours_is_one_image_whose_command_says_which_service(services: dict[str, Any]) -> None:
    images = {(services[name]["image"], services[name]["build"]) for name in OURS}

    assert images == {("agenthub:latest", ".")}
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
    replicas = {name: service.get("deploy", {}).get("replicas", 1) for name, service in services.items()}

    assert replicas == {
        **dict.fromkeys(("nats", "postgres", "notifier", *DATABASE_USERS), 1),
        **{name: count for name, (_, count) in WORKERS.items()},
    }


def test_nothing_stands_in_the_way_of_scaling_a_worker(services: dict[str, Any]) -> None:
    for name in WORKERS:
        assert not {"container_name", "ports", "volumes"} & set(services[name])
        assert "AGENTHUB_WORKER_NAME" not in services[name]["environment"]


def test_stores_have_named_volumes_where_the_servers_write(services: dict[str, Any]) -> None:
    nats, postgres = services["nats"], services["postgres"]

    assert set(read_compose(SECRETS)["volumes"]) == {"jetstream_data", "postgres_data"}
    assert f"jetstream_data:{nats['environment']['NATS_STORE_DIR']}" in nats["volumes"]
    # Where the image of this major version keeps its cluster.
    assert postgres["image"].startswith("postgres:17-")
    assert postgres["volumes"] == ["postgres_data:/var/lib/postgresql/data"]


def test_the_api_and_the_web_ui_are_at_the_ports_that_people_know(services: dict[str, Any]) -> None:
    inside = services["gateway"]["environment"]["AGENTHUB_PORT"]

    assert services["gateway"]["ports"] == [f"8000:{inside}", f"3800:{inside}"]
    assert [name for name in OURS if "ports" in services[name]] == ["gateway"]


def test_every_service_comes_back_after_its_death_and_gets_the_time_to_stop(services: dict[str, Any]) -> None:
    assert {service["restart"] for service in services.values()} == {"always"}
    assert {services[name]["stop_grace_period"] for name in OURS} == {"15s"}


def test_servers_that_others_wait_for_are_asked_for_their_health(services: dict[str, Any]) -> None:
    checked = {
        name: service["healthcheck"]["test"] for name, service in services.items() if "healthcheck" in service
    }
    environment = services["postgres"]["environment"]

    assert set(checked) == {"nats", "postgres", "gateway"}
    assert checked["postgres"] == [
        *("CMD", "pg_isready", "-U", environment["POSTGRES_USER"], "-d", environment["POSTGRES_DB"])
    ]


def test_workers_alone_may_make_the_namespaces_of_their_sandbox(services: dict[str, Any]) -> None:
    opened = {name: service["security_opt"] for name, service in services.items() if "security_opt" in service}

    assert opened == {
        name: ["seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"] for name in WORKERS
    }
    assert not any("privileged" in service or "cap_add" in service for service in services.values())


@pytest.mark.parametrize("name", ["DB_PASSWORD", "DB_READER_PASSWORD", "AGENTHUB_API_KEYS", *KEYS_IN_USE])
def test_a_missing_secret_stops_the_start(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        read_compose({key: value for key, value in SECRETS.items() if key != name})


def test_database_and_services_agree_on_user_and_password(services: dict[str, Any]) -> None:
    postgres = services["postgres"]["environment"]
    expected = f"postgresql://{postgres['POSTGRES_USER']}:{postgres['POSTGRES_PASSWORD']}@postgres:5432/{postgres['POSTGRES_DB']}"

    told = {
        name: s["environment"]["DATABASE_URL"]
        for name, s in services.items()
        if "DATABASE_URL" in s["environment"]
    }
    reader = services["projector"]["environment"]["AGENTHUB_READER_PASSWORD"]
    reading = expected.replace(f"agenthub:{postgres['POSTGRES_PASSWORD']}", f"agenthub_reader:{reader}")
    assert told == {"projector": expected, "gateway": reading, "orchestrator": reading}


def test_every_service_has_the_key_of_its_own_user_and_of_no_other(services: dict[str, Any]) -> None:
    users = {
        **{name: name for name in ("notifier", *DATABASE_USERS)},
        **{name: worker_user(types) for name, (types, _) in WORKERS.items()},
    }
    told = {name: login_of(services[name]["environment"]["NATS_URL"]) for name in OURS}
    public = services["nats"]["environment"]

    assert {name: login.user for name, login in told.items()} == users
    for name, login in told.items():
        held = {key for key in KEYS.values() if key in json.dumps(services[name])}
        assert held == {login.seed}
        assert public[variable_of(login.user)] == public_key(login.seed)
    assert not any(key.startswith("SU") for key in public.values())


def test_only_workers_get_the_key_of_the_model(services: dict[str, Any]) -> None:
    with_key = {name for name, service in services.items() if "ANTHROPIC_API_KEY" in service["environment"]}

    assert with_key == set(WORKERS)


class Deployment:
    """Commands of the file as processes of this machine, each at free ports and in folders of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        # Where an address of the file is answered here.
        self.places: dict[tuple[str, int], str] = {}

    def start(self, name: str, command: list[str], env: dict[str, str]) -> None:
        with self.log(name).open("wb") as log:
            self.processes[name] = subprocess.Popen(
                command, env={"PATH": os.environ["PATH"], **env}, cwd=self.folder, stdout=log, stderr=log
            )

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def here(self, url: str) -> str:
        """An address of the file, credentials and all, at the place where its server answers in this test."""
        parts = urlsplit(url)
        place = self.places[str(parts.hostname), int(parts.port or 0)]
        credentials, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{credentials}{at}{place}"))

    def check_all_run(self) -> None:
        for name, process in self.processes.items():
            assert process.poll() is None, f"{name} ended: {self.log(name).read_text()[-3000:]}"

    def stop(self) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def postgres(services: dict[str, Any], deployment: Deployment) -> Iterator[None]:
    """The file's database at its place.

    What the image's own entry makes of the environment (a cluster, a user, a database) needs the image; here the
    embedded server plays it, with the file's password. The file gives the server itself no arguments.
    """
    service = services["postgres"]
    assert "command" not in service
    assert "entrypoint" not in service
    environment = service["environment"]
    data = DataDir(deployment.folder / "postgres")
    data.prepare()
    secrets = Secrets(postgres_password=environment["POSTGRES_PASSWORD"])
    (data.root / "secret.json").write_bytes(msgspec.json.encode(secrets))
    with running_postgres(data.root) as server:
        assert urlsplit(server.url).path == f"/{environment['POSTGRES_DB']}"
        deployment.places["postgres", 5432] = urlsplit(server.url).netloc
        yield


async def start_nats(deployment: Deployment, service: Service) -> str:
    """The file's bus at its place, with folders and ports of the test; returns where it tells its health."""
    environment, volumes = dict(service["environment"]), [str(v).split(":") for v in service["volumes"]]
    mounted = {volume[1]: volume[0] for volume in volumes}
    command = [str(ROOT / mounted[word]) if word in mounted else word for word in service["command"]]
    monitoring = str(json.loads(environment["NATS_HTTP"]))
    assert monitoring.startswith("127.0.0.1:")  # it asks for no password
    ports = int(environment["NATS_PORT"]), int(monitoring.rpartition(":")[2])
    assert environment.pop("NATS_HOST") == "0.0.0.0"
    folders = {"NATS_STORE_DIR": deployment.folder / "jetstream", "NATS_PORTS_DIR": deployment.folder / "ports"}
    for folder in folders.values():
        folder.mkdir()
    actual = {"NATS_HOST": "127.0.0.1", "NATS_PORT": "-1", "NATS_HTTP": '"127.0.0.1:-1"'}
    actual |= {name: json.dumps(str(folder)) for name, folder in folders.items()}
    assert set(actual) <= {"NATS_HOST", *environment}
    deployment.start("nats", [str(find_nats_server()), *command], environment | actual)

    def told() -> list[Path]:
        deployment.check_all_run()
        return [path for path in folders["NATS_PORTS_DIR"].iterdir() if path.read_bytes().endswith(b"}")]

    (taken,) = await until(told, 20, "the server tells its ports")
    addresses = msgspec.json.decode(taken.read_bytes())
    deployment.places["nats", ports[0]] = urlsplit(addresses["nats"][0]).netloc
    deployment.places["127.0.0.1", ports[1]] = urlsplit(addresses["monitoring"][0]).netloc
    *_, health = service["healthcheck"]["test"]
    return deployment.here(health)


def start_ours(deployment: Deployment, name: str, service: Service, port: int) -> None:
    """One of our services with the file's environment; what it finds at the addresses is this test's."""
    env = {key: str(value) for key, value in service["environment"].items()}
    env |= {key: deployment.here(env[key]) for key in ("NATS_URL", "DATABASE_URL") if key in env}
    env |= {"HOME": str(deployment.folder), "AGENTHUB_DATA_DIR": str(deployment.folder / name)}
    if name == "gateway":
        assert (env["AGENTHUB_HOST"], env["AGENTHUB_PORT"]) == ("0.0.0.0", "8000")
        env |= {"AGENTHUB_HOST": "127.0.0.1", "AGENTHUB_PORT": str(port)}
    if name in WORKERS:
        env["ANTHROPIC_API_KEY"] = "not-called"
    deployment.start(name, [sys.executable, "-m", "agenthub_cli.main", *service["command"]], env)


async def answers(url: str) -> bool:
    async with httpx2.AsyncClient(trust_env=False) as client:
        try:
            return (await client.get(url)).status_code == 200
        except httpx2.TransportError:
            return False


def healthy(command: list[str], env: Mapping[str, str] | None = None) -> bool:
    return subprocess.run(command, env=env, timeout=20, capture_output=True, check=False).returncode == 0


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("postgres")
async def test_every_services_command_runs_with_the_environment_of_the_file(
    services: dict[str, Any], deployment: Deployment, unused_tcp_port: int
) -> None:
    health = await start_nats(deployment, services["nats"])
    await until(lambda: answers(health), 20, "the bus is healthy")
    isready = services["postgres"]["healthcheck"]["test"][1:]
    host, _, port = deployment.places["postgres", 5432].partition(":")
    where = [str(find_pg_bin() / isready[0]), *isready[1:], "-h", host, "-p", port]
    assert healthy(where, program_env())

    # Workers first, the gateway that makes the streams last: any order will do.
    for name in sorted(OURS, key=lambda one: (one not in WORKERS, one)):
        start_ours(deployment, name, services[name], unused_tcp_port)

    async def ready() -> bool:
        deployment.check_all_run()
        return await answers(f"http://127.0.0.1:{unused_tcp_port}/health/ready")

    await until(ready, 60, "the gateway is ready")
    assert await answers(f"http://127.0.0.1:{unused_tcp_port}/"), "the web UI"
    python, *program = services["gateway"]["healthcheck"]["test"][1:]
    assert python == "python"
    assert healthy([sys.executable, *(word.replace(":8000", f":{unused_tcp_port}") for word in program)])
    bus = await connect(
        deployment.here(with_login("nats://nats:4222", ADMIN, KEYS[seed_variable_of(ADMIN)])),
        "test",
        give_up_after_s=10,
    )
    try:
        stream = bus.jetstream()

        async def fleet() -> list[set[str]]:
            deployment.check_all_run()
            info = await stream.stream_info("FLEET", subjects_filter="fleet.>")
            workers = [name for name in info.state.subjects or () if not name.startswith("fleet.orchestrator:")]
            found = [await stream.get_last_msg("FLEET", name, direct=True) for name in workers]
            return [set(msgspec.json.decode(message.data or b"", type=WorkerStatus).types) for message in found]

        async def complete() -> bool:
            return len(await fleet()) == len(WORKERS)

        await until(complete, 30, "every worker reports to the fleet")
        served = sorted(sorted(types) for types in await fleet())
    finally:
        await bus.close()
    assert served == sorted(sorted(types) for types, _ in WORKERS.values())
    assert await ready()
