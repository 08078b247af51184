"""The multi-machine deployment, as far as it can be shown without a container engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import compose_spec
import httpx2
import pytest
from nats.aio.client import Client

from agenthub_runtime.embedded.nats import NatsServer
from tests.support.compose import ROOT, read_compose
from tests.support.until import until

SECRETS = {"DB_PASSWORD": "db", "NATS_PASSWORD": "bus", "AGENTHUB_API_KEYS": "person:key-of-a-person-1234567890"}
OURS = (
    "orchestrator",
    "projector",
    "gateway",
    "coding-agent-worker",
    "test-agent-worker",
    "review-agent-worker",
    "debug-agent-worker",
    "security-agent-worker",
    "architect-agent-worker",
)


@pytest.fixture
def compose() -> dict[str, Any]:
    return read_compose(SECRETS)


def test_the_file_follows_the_compose_specification(compose: dict[str, Any]) -> None:
    parsed = compose_spec.PyCompose.from_json(json.dumps(compose))

    assert set(parsed.service_names()) == {"nats", "postgres", *OURS}


def test_replicas_are_those_that_people_expect(compose: dict[str, Any]) -> None:
    assert compose["services"]["coding-agent-worker"]["deploy"]["replicas"] == 3
    assert compose["services"]["test-agent-worker"]["deploy"]["replicas"] == 2


def test_stores_have_named_volumes(compose: dict[str, Any]) -> None:
    assert set(compose["volumes"]) == {"jetstream_data", "postgres_data"}


@pytest.mark.parametrize("name", ["DB_PASSWORD", "NATS_PASSWORD", "AGENTHUB_API_KEYS"])
def test_a_missing_secret_stops_the_start(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        read_compose({key: value for key, value in SECRETS.items() if key != name})


def test_database_and_services_agree_on_user_and_password(compose: dict[str, Any]) -> None:
    postgres = compose["services"]["postgres"]["environment"]
    expected = f"postgresql://{postgres['POSTGRES_USER']}:{postgres['POSTGRES_PASSWORD']}@postgres:5432/{postgres['POSTGRES_DB']}"

    assert compose["services"]["gateway"]["environment"]["DATABASE_URL"] == expected


def test_only_workers_get_the_key_of_the_model(compose: dict[str, Any]) -> None:
    with_key = {name for name, s in compose["services"].items() if "ANTHROPIC_API_KEY" in s.get("environment", {})}

    assert with_key == {name for name in OURS if name.endswith("-worker")}


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.send_signal(signal.SIGTERM)
    for process in started:
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start(name: str, service: dict[str, Any], actual: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    """The service's command, with the file's environment; addresses are those of the test's own servers."""
    env = {key: str(value) for key, value in service["environment"].items()}
    env |= {key: value for key, value in actual.items() if key in env}
    env |= {"PATH": os.environ["PATH"], "HOME": str(folder), "AGENTHUB_DATA_DIR": str(folder / name)}
    if name == "gateway":
        env["AGENTHUB_HOST"] = "127.0.0.1"
    if name.endswith("-worker"):
        env["ANTHROPIC_API_KEY"] = "not-called"
    command = [sys.executable, "-m", "agenthub_cli.main", *service["command"]]
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(command, env=env, cwd=ROOT, stdout=log, stderr=log)


@pytest.mark.timeout(120)
async def test_every_services_command_runs_with_the_environment_of_the_file(
    compose: dict[str, Any],
    bus: Client,
    nats_server: NatsServer,
    database_url: str,
    unused_tcp_port: int,
    tmp_path: Path,
    processes: list[subprocess.Popen[bytes]],
) -> None:
    await bus.jetstream().delete_stream("EVENTS")
    for name in reversed(OURS):
        env = {
            "NATS_URL": nats_server.authorised_url,
            "DATABASE_URL": database_url,
            "AGENTHUB_PORT": str(unused_tcp_port),
        }
        processes.append(start(name, compose["services"][name], env, tmp_path))

    async def ready() -> bool:
        for name, process in zip(reversed(OURS), processes, strict=True):
            assert process.poll() is None, f"{name} ended: {(tmp_path / f'{name}.log').read_text()[-3000:]}"
        async with httpx2.AsyncClient() as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{unused_tcp_port}/health/ready")
            except httpx2.TransportError:
                return False
        return answer.status_code == 200

    await until(ready, deadline_s=60, what="the gateway is ready")

    async def alive() -> bool:
        info = await bus.jetstream().stream_info("FLEET")
        return info.state.messages == 6

    await until(alive, deadline_s=30, what="six workers report to the fleet")
    assert await ready()
