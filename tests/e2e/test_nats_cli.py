"""`docs/howto/nats-cli.md` with the real program of natscli: every command, and the restore drill."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from agenthub_runtime.embedded.servers.tcp_ports import claimable_port
from tests.docs.pages import ROOT
from tests.support.running_hub import RunningHub, running_hub

PAGE = ROOT / "docs" / "howto" / "nats-cli.md"
_PART = re.compile(r"^## (.+?)$\n(.*?)(?=^## |\Z)", re.M | re.S)
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.M | re.S)
_OBSERVER, _OPERATOR = (f"nats --timeout 1s --context agenthub-{user}" for user in ("observer", "operator"))
_BIN = Path(sys.executable).parent

pytestmark = pytest.mark.extra

# What each part shows, in the lines of its commands.
SHOWN: Mapping[str, tuple[str, ...]] = {
    "Who you are": ("agenthub-observer.json is written", "agenthub-operator.nk", "agenthub-system.json"),
    "Who is alive": (
        *("orchestrator", "projector", "gateway", "notifier", "worker", "types: ", "slots: 1"),
        '"load":0.0',
    ),
    "Follow a goal": ('"type":"goal.accepted"', "Translate the Iliad"),
    "Blocked agents": ('"type":"agent.blocked"', "Translate the Iliad"),
    "Queues, by depth and by age": ("work-coding-p1", "orchestrator-", "Work orders for coding agents", "planner"),
    "Pause and resume": (
        *("coding is paused by", "no budget left today", "The hub is in maintenance", "upgrade to 0.2"),
        *("Paused EVENTS > work-coding-p1", "was resumed", '"draining":true', '"now":"debug"', "Started Worker-"),
    ),
    "Dead letters": ("No dead letters",),
    "Checks for alarms": (
        *("OK Connection", "OK JetStream", "OK EVENTS ", "OK EVENTS_work-coding-p1", "OK Stream Message"),
        "JetStream Summary",
    ),
    "Back up, and prove it in a second server": (
        *('backup of Stream "EVENTS"', 'backup of Stream "OBJ_ARTIFACTS"', "TIMERS"),
        " 0 differences",
    ),
}
REFUSED = (
    f"{_OBSERVER} consumer pause EVENTS work-coding-p1 30m --force",
    f"{_OBSERVER} consumer rm EVENTS work-coding-p1 --force",
    f"{_OBSERVER} backup stream EVENTS stolen --no-progress",
    f"{_OPERATOR} stream rm RUNS --force",
    f"{_OPERATOR} stream purge TIMERS --force",
    f"{_OPERATOR} consumer next EVENTS work-coding-p1",
)


class Shell(NamedTuple):
    """Where commands of the page run."""

    folder: Path
    env: Mapping[str, str]

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a block as a person pastes it, but without a terminal; what it leaves running is ended."""
        command = ["bash", "-euo", "pipefail", "-c", script]
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                out, _ = process.communicate(timeout=300)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(command, process.returncode, out, "")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """A hub as `agenthub up` starts it."""
    with running_hub(tmp_path_factory.mktemp("ops") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def shell(hub: RunningHub, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """The shell of somebody who looks after it."""
    if os.environ.get("NATS_CLI") == "none":
        pytest.skip("NOT RUN: .ci/run found no way to have the NATS command line here")
    path = f"{_BIN}:{os.environ['PATH']}"
    assert shutil.which("nats", path=path), 'no `nats` on PATH: export PATH="$(.ci/nats-cli):$PATH"'
    folder = tmp_path_factory.mktemp("shell")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTHUB_", "NATS_"))}
    env = {
        **kept,
        "PATH": path,
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "AGENTHUB_DATA_DIR": str(hub.data.root),
        "COLUMNS": "200",
    }
    return Shell(folder, env)


def parts() -> dict[str, list[str]]:
    """The blocks of commands by the heading above them."""
    found = {title: _BLOCK.findall(body) for title, body in _PART.findall(PAGE.read_text(encoding="utf-8"))}
    return {title: blocks for title, blocks in found.items() if blocks}


async def test_every_command_of_the_page_does_what_it_says_and_the_drill_finds_no_difference(
    hub: RunningHub, shell: Shell
) -> None:
    goal_id = hub.submit({"goal": "Translate the Iliad into Basque"})
    await hub.wait_for(goal_id, "awaiting_human")
    env = {**shell.env, "GOAL": goal_id, "DRILL_PORT": str(claimable_port("127.0.0.1", 0))}
    assert set(parts()) == set(SHOWN)
    for title, blocks in parts().items():
        told = ""
        for block in blocks:
            ran = shell._replace(env=env).run(block)
            assert ran.returncode == 0, f"{title}:\n{block}\n{ran.stdout}"
            told += ran.stdout
        missing = [words for words in SHOWN[title] if words not in told]
        assert not missing, f"{title} does not show {missing}:\n{told}"
    secrets = [seed for seed in hub.data.secrets.all() if seed]
    contexts = (shell.folder / "config" / "nats" / "context").glob("*.json")
    written = [path.read_text() for path in contexts]
    assert len(written) == 3
    assert not [secret for secret in secrets for text in written if secret in text]


def test_what_people_may_not_is_refused_by_the_bus(hub: RunningHub, shell: Shell) -> None:
    assert shell.run("agenthub nats context observer; agenthub nats context operator").returncode == 0
    for command in REFUSED:
        ran = shell.run(command)
        assert ran.returncode != 0, ran.stdout
        assert "permissions violation" in ran.stdout.lower(), ran.stdout
    assert not any(lane["paused"] for lane in hub.get("/queues")["items"])
