"""What goals are called never becomes markup, terminal code or a traceback, in any locale, into any output."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.subjects import GOAL_AS_A_WHOLE
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.support.gateway import Gateway, running_gateway, running_projector, settings, write
from tests.support.running_hub import clean_environment

HOSTILE = (
    "[/list]",
    "[bold red]tidy[/] up [link=file:///etc/passwd]here[/link]",
    "clip \x1b]52;c;ZXZpbA==\x07 board",
    "colour \x1b[31m and \x9b31m",
    "back \rwards \u202etxt.exe",
    "Grüße an 👩‍💻 und שלום",
    "w" * 300,
)
LOCALES = ({"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "COLUMNS": "20"})


@pytest.fixture
async def gateway(bus: Client, nats_server: NatsServer, database_url: str) -> AsyncIterator[Gateway]:
    log = JetStreamEventLog(bus)
    wanted = settings(nats_server.authorised_url, database_url)
    async with running_projector(log, database_url), running_gateway(wanted) as running:
        for text in HOSTILE:
            goal = await running.submit(goal=text)
            asked = AgentBlocked(question=f"What about {text}?", options=(text, "no"), reason="plan")
            seq = await write(log, goal["goal_id"], GOAL_AS_A_WHOLE, asked)
        await running.get("/api/v1/goals", after=seq)
        yield running


def run(gateway: Gateway, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "agenthub_cli.main", *words]
    environment = {**clean_environment(), "AGENTHUB_URL": gateway.url, **(env or {})}
    return subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False)


async def test_every_listing_shows_text_as_text_in_every_locale(gateway: Gateway) -> None:
    goals = (await gateway.get("/api/v1/goals"))["items"]
    listings = [["goal", "list"], ["inbox"], *(["goal", "show", goal["goal_id"]] for goal in goals[:3])]
    for env in ({}, *LOCALES):
        for words in listings:
            told = await asyncio.to_thread(run, gateway, *words, env=env)
            assert (told.returncode, told.stderr) == (0, b""), words
            assert not {b"\x1b", b"\r", b"\x07"} & {told.stdout[i : i + 1] for i in range(len(told.stdout))}, words
            assert "\x9b" not in told.stdout.decode()
            assert "\u202e" not in told.stdout.decode()


async def test_the_wording_of_a_goal_is_not_read_as_markup(gateway: Gateway) -> None:
    told = await asyncio.to_thread(run, gateway, "goal", "list", env={"COLUMNS": "200"})
    assert b"[/list]" in told.stdout
    assert b"[bold red]tidy[/]" in told.stdout


async def test_json_holds_the_exact_text_in_every_locale(gateway: Gateway) -> None:
    import msgspec

    for env in ({}, *LOCALES):
        told = await asyncio.to_thread(run, gateway, "goal", "list", "--json", env=env)
        assert {msgspec.json.decode(line)["goal"] for line in told.stdout.splitlines()} == set(HOSTILE)


async def test_an_output_that_takes_no_more_is_no_traceback(gateway: Gateway) -> None:
    words = f"{sys.executable} -m agenthub_cli.main goal list --json"
    env = {**clean_environment(), "AGENTHUB_URL": gateway.url}

    def shell(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line], env=env, capture_output=True, text=True, timeout=300, check=False
        )

    for line in (f"{words} | head -c 1 >/dev/null", f"{words} >/dev/full", f"{words} >&-"):
        told = await asyncio.to_thread(shell, line)
        assert "Traceback" not in told.stderr, line
        assert "Exception ignored" not in told.stderr, line
    assert "error: the output cannot be written" in (await asyncio.to_thread(shell, f"{words} >/dev/full")).stderr


async def test_head_is_get_without_a_body(gateway: Gateway) -> None:
    goal = (await gateway.get("/api/v1/goals"))["items"][0]["goal_id"]
    paths = ("/", "/health/live", "/metrics", "/schema/openapi.json", "/api/v1/stream")
    for path in (
        *paths,
        "/api/v1/goals",
        f"/api/v1/goals/{goal}",
        f"/api/v1/goals/{goal}/tasks",
        "/static/scheme.js",
    ):
        head = await gateway.client.head(path)
        assert (head.status_code, head.content) == (200, b""), path
        assert head.headers["content-type"]
    missing = await gateway.client.head("/api/v1/goals/g-none")
    assert (missing.status_code, missing.content) == (404, b"")


async def test_allow_and_options_name_every_method_of_an_address(gateway: Gateway) -> None:
    for path, methods in (
        ("/api/v1/goals", "GET, HEAD, OPTIONS, POST"),
        ("/goals", "OPTIONS, POST"),
        ("/health/live", "GET, HEAD, OPTIONS"),
        ("/", "GET, HEAD, OPTIONS"),
        ("/static/hub.js", "GET, HEAD, OPTIONS"),
        ("/schema/openapi.json", "GET, HEAD, OPTIONS"),
        ("/api/v1/goals/g-1/approve", "OPTIONS, POST"),
    ):
        asked = await gateway.client.options(path)
        assert (asked.status_code, asked.headers["allow"], asked.content) == (204, methods, b""), path
        for method in ("PUT", "DELETE", "PROPFIND"):
            wrong = await gateway.client.request(method, path)
            assert (wrong.status_code, wrong.headers["allow"]) == (405, methods), (method, path)
    assert (await gateway.client.head("/goals")).headers["allow"] == "OPTIONS, POST"
    assert (await gateway.client.options("/nowhere")).status_code == 404


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    words = [sys.executable, "-m", "agenthub_cli.main", "up", "--port", "0", "--data-dir", str(tmp_path)]
    told = subprocess.run(words, env=clean_environment(), capture_output=True, text=True, timeout=300, check=False)
    assert told.returncode != 0
    assert "is not empty and no data folder of agenthub (it holds 'thesis.tex')" in told.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_start_that_fails_on_a_new_folder_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    words = [sys.executable, "-m", "agenthub_cli.main", "up", "--port", "0", "--data-dir", str(folder)]
    env = {**clean_environment(), "AGENTHUB_PG_BIN": str(tmp_path)}
    told = subprocess.run(words, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert told.returncode != 0
    assert "Traceback" not in told.stderr
    assert not folder.exists()
