"""A hub under fire: children, servers and the supervisor itself are killed; nothing is left behind or lost."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import msgspec
import nats
import pytest

from agenthub_runtime.bus_users.keys import login_of
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.place import RunningHub
from agenthub_runtime.embedded.supervisor import UnitState, read_states
from tests.support.stopwatch import Stopwatch
from tests.support.until import until

pytestmark = pytest.mark.extra

# Runs the command in its arguments as an account without rights; a root that starts the tests becomes one first.
AS_NOBODY = """
import os, sys
from agenthub_runtime.processes.launch import enter_namespace
if os.geteuid() == 0:
    enter_namespace(65534, 65534)
os.execv(sys.argv[1], sys.argv[1:])
"""
UNITS = [
    *("nats", "postgres", "rehearsal", "projector", "orchestrator", "gateway", "notifier"),
    *("Worker-1", "Worker-2", "Worker-3"),
]


class HubProcess:
    """A hub that runs in a process of its own on `folder`."""

    def __init__(self, folder: Path, name: str = "hub") -> None:
        self.data = DataDir(folder)
        self._out = folder.with_name(f"{name}.out")
        self._err = folder.with_name(f"{name}.err")
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, *before: str, **env: str) -> RunningHub:
        self.launch(*before, **env)
        await until(lambda: self.said or self.exit_code is not None, deadline_s=300, what="ready")
        return msgspec.json.decode(self.said, type=RunningHub)

    def launch(self, *before: str, **env: str) -> None:
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self._process = subprocess.Popen(
                [*before, sys.executable, "-m", "tests.support.idle_hub", str(self.data.root)],
                env={**os.environ, **env},
                stdout=out,
                stderr=err,
            )

    async def ended(self) -> str:
        """Wait for the end; return what it wrote for people."""
        await until(lambda: self.exit_code is not None, deadline_s=300, what="the hub ends")
        return self._err.read_text()

    @property
    def said(self) -> str:
        return self._out.read_text()

    @property
    def exit_code(self) -> int | None:
        return None if self._process is None else self._process.poll()

    async def kill(self, number: signal.Signals = signal.SIGKILL) -> int | None:
        if self._process is not None and self.exit_code is None:
            self._process.send_signal(number)
            await until(lambda: self.exit_code is not None, deadline_s=300, what="the hub ends")
        return self.exit_code

    def units(self) -> dict[str, UnitState]:
        return read_states(self.data.run / "services.json")

    def shoot(self, name: str) -> int:
        pid = self.units()[name].pid
        assert pid is not None, f"{name} does not run"
        os.kill(pid, signal.SIGKILL)
        return pid

    async def back(self, name: str, old_pid: int) -> int:
        """Wait until `name` runs again and return its new pid."""

        def new_pid() -> int | None:
            pid = self.units()[name].pid
            return pid if pid != old_pid else None

        pid = await until(new_pid, what=f"{name} runs again")
        assert pid is not None
        return pid

    def living(self) -> list[str]:
        """Command lines of all processes that belong to this folder, the hub itself left out."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    own = f"AGENTHUB_DATA_DIR={self.data.root}" in (entry / "environ").read_text()
                    at_home = os.readlink(entry / "cwd").startswith(str(self.data.root))
                    served = str(self.data.jetstream) in (entry / "environ").read_text()
                except OSError:
                    continue
                if words and (own or at_home or served):
                    found.append(words)
        return found


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[HubProcess]:
    process = HubProcess(tmp_path / "hub")
    yield process
    await process.kill(signal.SIGTERM)
    assert process.living() == []


async def test_a_hub_starts_its_units_in_order_and_others_find_it(hub: HubProcess) -> None:
    running = await hub.start()
    assert list(hub.units()) == UNITS
    assert {unit.state for unit in hub.units().values()} == {"running"}
    assert hub.data.running_hub() == running
    assert "@" not in f"{running}"


async def test_an_ordinary_account_can_run_a_hub(hub: HubProcess) -> None:
    await hub.start(sys.executable, "-c", AS_NOBODY)
    assert {unit.state for unit in hub.units().values()} == {"running"}


async def test_services_are_told_what_they_need_and_no_more(hub: HubProcess) -> None:
    mail = {"AGENTHUB_NOTIFY": "ann@example.org", "AGENTHUB_SMTP_URL": "smtp://hub:hush-hush@mail.example.org"}
    asked = "https://hub:hush-hush@osv.example.org"
    await hub.start(ANTHROPIC_API_KEY="hush", AGENTHUB_API_KEYS="hush", AGENTHUB_ADVISORIES=asked, **mail)

    def told(name: str) -> set[str]:
        return set(hub.data.log_file(name).read_text().split())

    await until(lambda: all("environment:" in told(name) for name in UNITS[2:]), what="all have started")
    secret = {"DATABASE_URL", "ANTHROPIC_API_KEY", "AGENTHUB_API_KEYS", "AGENTHUB_LINK_KEY", *mail}
    secret.add("AGENTHUB_ADVISORIES")
    assert told("gateway") & secret == {"DATABASE_URL", "AGENTHUB_API_KEYS", "AGENTHUB_LINK_KEY"}
    assert told("notifier") & secret == {"AGENTHUB_LINK_KEY", *mail}
    assert told("projector") & secret == {"DATABASE_URL"}
    # The rehearsal model takes the place of the provider, so not even workers get the key.
    assert told("Worker-1") & secret == {"AGENTHUB_ADVISORIES"}
    assert {"AGENT_TYPE", "AGENTHUB_WORKER_NAME", "ANTHROPIC_BASE_URL", "NATS_URL"} <= told("Worker-3")


async def test_a_killed_service_is_started_again_and_no_other_is_touched(hub: HubProcess) -> None:
    await hub.start()
    before = {name: unit.pid for name, unit in hub.units().items()}
    for _ in range(3):
        await hub.back("orchestrator", hub.shoot("orchestrator"))
    after = {name: unit.pid for name, unit in hub.units().items()}
    assert hub.units()["orchestrator"].restarts == 3
    assert {name for name in before if before[name] != after[name]} == {"orchestrator"}


async def test_killed_servers_come_back_at_the_same_addresses_with_their_data(hub: HubProcess) -> None:
    running = await hub.start()
    nats_url = hub.data.secrets.authorise(running.nats_url)
    postgres_url = hub.data.secrets.authorise(running.postgres_url)
    client = await nats.connect(**login_of(nats_url).options, reconnect_time_wait=0.05, max_reconnect_attempts=-1)
    await client.jetstream().publish("evt.g.t.x.y", b"kept")
    await hub.back("nats", hub.shoot("nats"))
    await hub.back("postgres", hub.shoot("postgres"))

    await until(lambda: client.is_connected, what="connected again")
    assert (await client.jetstream().get_last_msg("EVENTS", "evt.g.t.x.y")).data == b"kept"
    await client.close()
    connection = await asyncpg.connect(postgres_url)
    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_a_killed_supervisor_leaves_no_process_behind_and_the_next_one_goes_on(hub: HubProcess) -> None:
    running = await hub.start()
    client = await nats.connect(
        **login_of(hub.data.secrets.authorise(running.nats_url)).options, allow_reconnect=False
    )
    await client.jetstream().publish("evt.g.t.x.y", b"kept")
    await client.close()
    assert len(hub.living()) >= len(UNITS)
    await hub.kill()
    # No wait: the next hub must cope with what is still dying.
    again = await hub.start()
    client = await nats.connect(**login_of(hub.data.secrets.authorise(again.nats_url)).options)
    assert (await client.jetstream().get_last_msg("EVENTS", "evt.g.t.x.y")).data == b"kept"
    await client.close()
    await hub.kill()
    await until(lambda: hub.living() == [], deadline_s=300, what="no child is left")


async def test_a_killed_supervisor_with_a_killed_postgres_starts_again(hub: HubProcess) -> None:
    await hub.start()
    hub.shoot("postgres")
    await hub.kill()
    await hub.start()


@pytest.mark.parametrize(("number", "stubborn"), [(signal.SIGTERM, "worker"), (signal.SIGINT, "")])
async def test_a_hub_stops_within_ten_seconds_even_with_a_service_that_does_not_want_to(
    hub: HubProcess, number: signal.Signals, stubborn: str
) -> None:
    await hub.start(TEST_STUBBORN=stubborn)
    with Stopwatch() as watch:
        assert await hub.kill(number) == 0
    assert watch.seconds < 10
    assert hub.living() == []
    assert hub.data.running_hub() is None
    units = hub.units()
    assert {unit.state for unit in units.values()} == {"stopped"}
    # It keeps the spans that all others send at their end.
    sent = [unit.since for name, unit in units.items() if name.startswith("Worker") or name in UNITS[4:7]]
    assert max(sent) <= units["projector"].since <= units["nats"].since


async def test_a_hub_that_is_stopped_while_it_starts_leaves_nothing(hub: HubProcess) -> None:
    hub.launch()
    await until(hub.units, what="the first units are noted")
    assert await hub.kill(signal.SIGTERM) == 0
    assert hub.said == ""
    assert hub.living() == []


async def test_a_second_hub_on_the_folder_is_refused_and_does_no_harm(hub: HubProcess) -> None:
    running = await hub.start()
    second = HubProcess(hub.data.root, "second")
    second.launch()
    assert str(running.pid) in await second.ended()
    assert hub.data.running_hub() == running


async def test_a_taken_port_is_named_with_the_remedy(hub: HubProcess) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        hub.launch(AGENTHUB_PORT=port)
        text = await hub.ended()
    assert f"Port {port}" in text
    assert "--port" in text


async def test_a_service_that_keeps_dying_at_the_start_is_reported_with_its_last_words(hub: HubProcess) -> None:
    hub.launch(TEST_BROKEN="gateway")
    assert "gateway is broken on purpose" in await hub.ended()


async def test_after_a_full_disk_the_log_takes_events_again(hub: HubProcess) -> None:
    running = await hub.start()
    nats_url = hub.data.secrets.authorise(running.nats_url)
    client = await nats.connect(**login_of(nats_url).options, reconnect_time_wait=0.05, max_reconnect_attempts=-1)
    stream = client.jetstream()
    old = hub.units()["nats"].pid
    assert old is not None
    # No file of the server may grow: it meets the same failure as on a full disk, and keeps it in the same way.
    resource.prlimit(old, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    with pytest.raises(TimeoutError):
        await stream.publish("evt.g.t.x.y", b"lost", timeout=0.5)

    await hub.back("nats", old)
    await until(lambda: client.is_connected, what="connected again")
    assert (await stream.publish("evt.g.t.x.y", b"kept")).seq == 1
    await client.close()
