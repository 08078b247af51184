"""A goal that is looked at before it is submitted: what comes of it is said, and nothing is written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from agenthub_events.agent_types import AGENT_TYPES
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.fleet import WorkerStatus
from agenthub_runtime.operations.registry import SURVEY, registered
from agenthub_runtime.remotes.credentials import NO_ACCESS, GitAccess
from agenthub_worker.environment.provision import Environments
from agenthub_worker.sandbox.port import ExecResult
from agenthub_worker.sandbox.scripted import ScriptedCall, ScriptedSandbox
from agenthub_worker.workspace.surveying import Surveyor
from tests.support.fleet import say
from tests.support.gateway import Gateway, running_gateway, settings
from tests.support.git_hosts import TOKEN, a_host, a_repository, git

pytestmark = pytest.mark.extra

NODE = {
    "package.json": '{"scripts": {"test": "node --test"}, "dependencies": {"left": "1"}}',
    "package-lock.json": "{}",
    "sum.test.js": "",
    ".agenthub/config.toml": '[checks]\nlint = "true"\n',
}


@pytest.fixture
async def gateway(bus: Client, nats_server: NatsServer, database_url: str) -> AsyncIterator[Gateway]:
    assert bus.is_connected
    async with running_gateway(settings(nats_server.authorised_url, database_url, embedded=True)) as running:
        yield running


def nothing_runs(call: ScriptedCall) -> ExecResult:
    """A look runs nothing."""
    raise AssertionError(call)


@asynccontextmanager
async def a_worker(bus: Client, folder: Path, access: GitAccess = NO_ACCESS) -> AsyncIterator[None]:
    """Someone who lives on a machine with Node 20, and looks at repositories."""
    node = folder / "bin" / "node"
    node.parent.mkdir()
    node.write_text("#!/bin/sh\necho v20.11.1\n")
    node.chmod(0o755)
    variables = {"PATH": str(node.parent)}
    environments = Environments(folder / "environments", ScriptedSandbox(nothing_runs), variables, folder / "home")
    surveyor = Surveyor(access, environments)
    await say(bus, WorkerStatus(worker="Worker-1", instance="i", types=tuple(AGENT_TYPES), slots=1))
    orders = {SURVEY: surveyor.survey}
    try:
        async with registered(bus, "worker", instance="Worker-1", description="", orders=orders):
            yield
    finally:
        await surveyor.aclose()


async def checked(gateway: Gateway, **body: Any) -> dict[str, Any]:
    before = await gateway.log_end()
    answer = await gateway.client.post("/api/v1/goals/check", json={"goal": "Build a thing", **body})
    assert answer.status_code == 200, answer.text
    assert await gateway.log_end() == before, "nothing is written"
    found: dict[str, Any] = answer.json()
    return found


async def test_the_words_and_the_files_of_a_folder_are_told(gateway: Gateway, bus: Client, tmp_path: Path) -> None:
    folder = a_repository(tmp_path / "mine", NODE, bare=False)
    async with a_worker(bus, tmp_path):
        found = await checked(gateway, requirements=["Unit tests >80% coverage"], repository=str(folder))
    assert found["understood"]["min_coverage"] == 80
    assert found["understood"]["gates"] == ["tests", "security", "review"]
    seen = found["repository"]
    assert (seen["commit"], seen["surveyed"]) == (git(folder, "rev-parse", "HEAD"), True)
    assert (seen["files"], seen["test_files"], seen["test_command"]) == (4, 1, "npm test")
    assert (seen["setup"], seen["setup_source"]) == (["npm ci --no-audit --no-fund"], "package-lock.json")
    assert seen["checks"] == ["lint"]
    assert found["warnings"] == []


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("http://hooks.example.org/x", "hooks.example.org"),
        ("HTTP://Hooks.Example.org:8080/x", "hooks.example.org"),
        ("http://192.168.1.7/x", "192.168.1.7"),
        ("http://localhost.example.org/x", "localhost.example.org"),
        ("https://hooks.example.org/x", ""),
        ("http://127.0.0.1:9/x", ""),
        ("http://[::1]:9/x", ""),
        ("http://hub.localhost/x", ""),
        ("ann@example.org", ""),
    ],
)
async def test_a_webhook_that_can_be_read_on_the_way_is_told_before_and_at_submission(
    gateway: Gateway, bus: Client, tmp_path: Path, address: str, host: str
) -> None:
    async with a_worker(bus, tmp_path):
        found = await checked(gateway, notify=[address])
    answer = await gateway.client.post("/api/v1/goals", json={"goal": "Build a thing", "notify": [address]})
    assert answer.status_code == 202, answer.text
    words = (
        f"`notify` names a webhook at http://{host}: what it is told of goals can be read on the way; use https://"
    )
    assert found["warnings"] == answer.json()["warnings"] == ([words] if host else [])


async def test_what_a_goal_says_itself_comes_before_the_files(
    gateway: Gateway, bus: Client, tmp_path: Path
) -> None:
    folder = a_repository(tmp_path / "mine", {"a.py": "", "test_a.py": ""}, bare=False)
    async with a_worker(bus, tmp_path):
        said = {
            "setup": ["make deps"],
            "test_command": "make check",
            "checks": [{"name": "types", "command": "mypy"}],
        }
        found = await checked(gateway, repository=str(folder), **said)
        plain = await checked(gateway, repository=str(folder))
    seen = found["repository"]
    assert (seen["setup"], seen["test_command"], seen["checks"]) == (["make deps"], "make check", ["types"])
    assert plain["repository"]["setup"] == []
    assert plain["repository"]["test_command"] == "python -m pytest"


SURPRISES: tuple[tuple[dict[str, str], str], ...] = (
    ({"build.gradle": ""}, "needs java, and this machine has no `java`"),
    ({"README.md": "x"}, "no test command is set"),
    ({"a.py": "", ".agenthub/config.toml": "x = ["}, "is no TOML"),
    ({"a.py": "", ".agenthub/config.toml": "setup = 1"}, "setup"),
    ({"a.py": "", ".agenthub/config.toml": "checks = 1"}, "`checks`"),
    ({"a.py": "", "requirements.txt": "x\n", ".python-version": "3.98"}, "python 3.98 is not on this machine"),
    ({"go.mod": "module x\n", "a.go": "", "a_test.go": ""}, "this machine has no `go`"),
)


async def test_what_would_be_a_surprise_is_said(gateway: Gateway, bus: Client, tmp_path: Path) -> None:
    async with a_worker(bus, tmp_path):
        for number, (files, warning) in enumerate(SURPRISES):
            folder = a_repository(tmp_path / f"of-{number}", files, bare=False)
            found = await checked(gateway, repository=str(folder))
            assert any(warning in words for words in found["warnings"]), (warning, found["warnings"])


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"goal": " "}, "goal"),
    ({"requirements": ["x", " "]}, "requirements[1]"),
    ({"repository": "/nowhere"}, "repository"),
    ({"repository": "relative"}, "repository"),
    ({"repository": "https://user:secret@example.org/x"}, "repository"),
    ({"ref": "main"}, "repository"),
    ({"constraints": {"max_time": "soon"}}, "constraints.max_time"),
    ({"notify": ["nobody"]}, "notify[0]"),
    ({"workflow": [{"key": "a", "title": "A", "depends_on": ["b"]}]}, "workflow"),
)


async def test_what_would_be_refused_is_named_by_its_place(gateway: Gateway) -> None:
    for body, key in REFUSED:
        found = await checked(gateway, **body)
        assert (found["understood"], found["repository"]) == (None, None)
        assert {refusal["key"] for refusal in found["refusals"]} == {key}
        refused = await gateway.client.post("/api/v1/goals", json={"goal": "Build a thing", **body})
        assert refused.status_code == 422
        assert refused.json()["errors"] == found["refusals"], "the submission says the same"


async def test_a_body_that_does_not_fit_is_refused_as_everywhere(gateway: Gateway) -> None:
    for body in ({"goal": 1}, {"goal": "x", "gaol": "y"}, {"goal": "x" * 8_001}, {}):
        assert (await gateway.client.post("/api/v1/goals/check", json=body)).status_code == 422


async def test_nobody_there_to_look_is_no_refusal(gateway: Gateway, bus: Client, tmp_path: Path) -> None:
    folder = a_repository(tmp_path / "mine", {"a.py": ""}, bare=False)
    found = await checked(gateway, repository=str(folder))
    assert found["repository"]["surveyed"] is False
    assert any("no worker lives" in words for words in found["warnings"])
    assert any("No worker serves planner" in words for words in found["warnings"])
    await say(bus, WorkerStatus(worker="Worker-9", instance="i", types=("coding",), slots=1))
    found = await checked(gateway, repository=str(folder))
    assert any("Worker-9 did not say" in words for words in found["warnings"]), "one that is gone"


async def test_what_is_held_back_is_said(gateway: Gateway, bus: Client, tmp_path: Path) -> None:
    async with a_worker(bus, tmp_path):
        await gateway.client.post("/api/v1/queues/coding/pause", json={"reason": "no budget"})
        found = await checked(gateway)
        await gateway.client.post("/api/v1/queues/coding/resume", json={})
    assert found["warnings"] == ["The queue `coding` is paused (no budget): the goal would be taken, and wait."]


async def test_only_those_whom_an_own_plan_names_are_missed(gateway: Gateway) -> None:
    found = await checked(gateway, workflow=[{"key": "a", "title": "A", "agent": "noop"}])
    assert any("No worker serves noop:" in words for words in found["warnings"])


async def test_an_address_is_looked_at_once_for_a_commit(
    bus: Client, nats_server: NatsServer, database_url: str, tmp_path: Path
) -> None:
    async with a_host(tmp_path / "host") as host:
        access = GitAccess(tokens={host.name: TOKEN}, forges={host.name: f"gitlab:{host.api}"})
        wanted = settings(nats_server.authorised_url, database_url, embedded=True, git=access)
        async with running_gateway(wanted) as gateway, a_worker(bus, tmp_path, access):
            found = await checked(gateway, repository=host.url())
            again = await checked(gateway, repository=host.url(), test_command="make check")
    head = git(host.root / "ada" / "service.git", "rev-parse", "main")
    seen = found["repository"]
    assert (seen["ref"], seen["commit"], seen["delivery"]) == ("refs/heads/main", head, "branch")
    assert seen["surveyed"] is True
    assert seen["files"] > 0
    assert again["repository"]["test_command"] == "make check"
