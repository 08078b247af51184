"""The supervisor goes on when something around it breaks: its state file, a hook, a unit that cannot stop."""

from __future__ import annotations

import re
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agenthub_cli.commands.doctor import processes
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.place import RunningHub
from agenthub_runtime.embedded.services import Service, ServiceSpec
from agenthub_runtime.embedded.supervisor import RESTLESS_AFTER, Supervisor, read_states
from tests.support.until import until


class Sleeper(Service):
    """A service that sleeps."""

    def __init__(self, folder: Path, name: str = "sleeper") -> None:
        super().__init__(ServiceSpec(name=name, argv=("/bin/sleep", "600"), env={}, log=folder / f"{name}.log"))

    def kill(self) -> int:
        assert self.process is not None
        self.process.send(signal.SIGKILL)
        return self.process.pid

    def runs_again(self, old: int) -> Callable[[], bool]:
        return lambda: self.process is not None and self.process.running and self.process.pid != old


class Unstoppable(Sleeper):
    """A service whose stop fails after it was done."""

    async def stop(self) -> None:
        await super().stop()
        raise OSError(28, "No space left on device")


def block(states: Path) -> None:
    """Let the state file be something that nobody can replace by a file."""
    states.unlink()
    (states / "in the way").mkdir(parents=True)


def unblock(states: Path) -> None:
    (states / "in the way").rmdir()
    states.rmdir()


@pytest.fixture
def states(tmp_path: Path) -> Path:
    return tmp_path / "services.json"


@pytest.fixture
async def sleeper(tmp_path: Path) -> AsyncIterator[Sleeper]:
    service = Sleeper(tmp_path)
    yield service
    await service.stop()


async def test_a_child_that_dies_while_the_state_file_cannot_be_written_is_started_again(
    states: Path, sleeper: Sleeper
) -> None:
    supervisor = Supervisor(states)
    await supervisor.start(sleeper)
    block(states)
    with capture_logs() as logs:
        await until(sleeper.runs_again(sleeper.kill()), what="it runs again")
        await until(lambda: supervisor.states["sleeper"].restarts == 1, what="the restart is noted")
    assert [line["event"] for line in logs].count("state_file_not_written") == 1

    unblock(states)
    await until(sleeper.runs_again(sleeper.kill()), what="it runs once more")
    await until(lambda: read_states(states)["sleeper"].restarts == 2, what="the state file is there again")
    await supervisor.stop()
    assert read_states(states)["sleeper"].state == "stopped"


async def test_a_hub_stops_in_order_while_the_state_file_cannot_be_written(states: Path, sleeper: Sleeper) -> None:
    supervisor = Supervisor(states)
    await supervisor.start(sleeper)
    block(states)
    await supervisor.stop()
    assert sleeper.process is not None
    assert not sleeper.process.running


async def test_a_hook_that_fails_does_not_end_the_watch_over_a_child(states: Path, sleeper: Sleeper) -> None:
    deaths: list[str] = []

    def hook(name: str, _: int) -> None:
        deaths.append(name)
        if len(deaths) == 1:
            raise RuntimeError("the hook is broken")

    supervisor = Supervisor(states, on_death=hook)
    await supervisor.start(sleeper)
    with capture_logs() as logs:
        await until(sleeper.runs_again(sleeper.kill()), what="it runs again")
    assert [line["unit"] for line in logs if line["event"] == "unit_watch_failed"] == ["sleeper"]
    await supervisor.stop()


async def test_a_unit_that_cannot_be_stopped_does_not_keep_the_others_running(
    tmp_path: Path, states: Path, sleeper: Sleeper
) -> None:
    supervisor = Supervisor(states)
    await supervisor.start(sleeper)
    await supervisor.start(Unstoppable(tmp_path, "unstoppable"))
    with capture_logs() as logs:
        await supervisor.stop()
    assert [line["unit"] for line in logs if line["event"] == "unit_stop_failed"] == ["unstoppable"]
    assert sleeper.process is not None
    assert not sleeper.process.running


async def test_the_doctor_names_a_process_that_keeps_dying(tmp_path: Path, sleeper: Sleeper) -> None:
    data = DataDir(tmp_path / "hub")
    dying = ServiceSpec(name="gateway", argv=("/bin/false",), env={}, log=data.log_file("gateway"))
    with data.claim():
        data.announce(RunningHub(pid=1, url="", nats_url="", postgres_url="", started_at="", version=""))
        supervisor = Supervisor(data.run / "services.json")
        await supervisor.start(sleeper)
        assert (await processes(data.root)).found == "1 run"
        await supervisor.start(Service(dying))
        await until(lambda: supervisor.states["gateway"].restarts >= RESTLESS_AFTER, what="it has died often")
        check = await processes(data.root)
        await supervisor.stop()
    assert check.state == "warning"
    assert re.search(r"gateway \(\d+ times\)", check.found)
    assert str(data.logs) in check.found
    assert "sleeper" not in check.found
    assert (await processes(data.root)).state == "ok"
