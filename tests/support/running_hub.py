"""The whole hub as a person starts it: `agenthub up` in a process of its own, and what a test asks of it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import httpx2
import msgspec

from agenthub_events.base import Event
from agenthub_events.errors import StoreUnavailable
from agenthub_events.ports import Recorded
from agenthub_runtime.clock import SystemIds
from agenthub_runtime.embedded.data_folder import DataDir
from agenthub_runtime.embedded.supervisor import UnitState, read_states
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.support.lines import render_all
from tests.support.until import PATIENCE_S, until

E = TypeVar("E", bound=Event)

Body: TypeAlias = Mapping[str, Any]

SAMPLE: Body = {
    "goal": "Build authentication system with JWT",
    "requirements": ["Unit tests", "Security audit", "Documentation"],
}
BLOCKED_SAMPLE: Body = {
    "goal": "Build a price calculator with VAT",
    "requirements": ["Unit tests", "Documentation"],
}

_STOP_S = 60.0
# A connection that is kept may end at its other side in the very moment in which it is used again.
UNKEPT = httpx2.Limits(max_keepalive_connections=0)
_ASK_AGAIN_S = 0.1
_OURS = ("AGENTHUB_", "ANTHROPIC_", "OTEL_", "NATS_URL", "DATABASE_URL", "AGENT_TYPE")


class Ready(msgspec.Struct, frozen=True):
    """The line that `agenthub up --json` prints."""

    ready: bool
    url: str
    nats_url: str
    postgres_url: str
    data_dir: str
    model: dict[str, Any] | None = None


class RunningHub:
    """A hub that is ready. Only `start_hub` and `running_hub` make one."""

    def __init__(self, process: subprocess.Popen[bytes], ready: Ready) -> None:
        self.process = process
        self.ready = ready
        self.url = ready.url
        self.data = DataDir(Path(ready.data_dir))
        self.http = httpx2.Client(base_url=ready.url, timeout=PATIENCE_S, limits=UNKEPT, trust_env=False)

    # -- over HTTP

    def get(self, path: str, **params: Any) -> Any:
        """The JSON of a read below /api/v1; what is not there yet is asked for again: read models follow."""
        end = time.monotonic() + PATIENCE_S
        while True:
            response = self.http.get(f"/api/v1{path}", params=params)
            if response.status_code not in (404, 503) or time.monotonic() > end:
                break
            time.sleep(_ASK_AGAIN_S)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, body: Body | None = None, *, key: str = "") -> httpx2.Response:
        """The answer to a command below /api/v1; what the log has not answered is sent again with the same key."""
        headers = {"Idempotency-Key": key or SystemIds().token()}
        end = time.monotonic() + PATIENCE_S
        while True:
            response = self.http.post(f"/api/v1{path}", json=body, headers=headers)
            if response.status_code != 503 or time.monotonic() > end:
                return response
            time.sleep(_ASK_AGAIN_S)

    def submit(self, body: Body, *, key: str = "") -> str:
        """Submit a goal; returns its id."""
        response = self.post("/goals", body, key=key)
        assert response.status_code == 202, response.text
        return str(response.json()["goal_id"])

    def answer(self, intervention: str, **body: Any) -> httpx2.Response:
        """Answer a question."""
        return self.post(f"/interventions/{intervention}/answer", body)

    def questions(self, goal_id: str) -> list[dict[str, Any]]:
        """The goal's open questions."""
        items: list[dict[str, Any]] = self.get(f"/goals/{goal_id}/interventions", state="open")["items"]
        return items

    async def wait_for(self, goal_id: str, *statuses: str, deadline_s: float = 900.0) -> dict[str, Any]:
        """Wait until the goal is in one of these states, whatever happens to the gateway meanwhile."""
        goal: dict[str, Any] | None = None

        def there() -> bool:
            nonlocal goal
            goal = self._goal_if_it_answers(goal_id) or goal
            return goal is not None and goal["status"] in statuses

        try:
            await until(there, deadline_s, f"{goal_id} is {' or '.join(statuses)}", pause_s=0.1)
        except AssertionError as error:
            story = "\n".join(await self.told(goal_id))
            raise AssertionError(f"{error}\n{goal}\n{story}") from error
        assert goal is not None
        return goal

    def _goal_if_it_answers(self, goal_id: str) -> dict[str, Any] | None:
        try:
            response = self.http.get(f"/api/v1/goals/{goal_id}")
        except httpx2.TransportError:
            return None
        if response.status_code in (404, 503):
            return None
        assert response.status_code == 200, response.text
        goal: dict[str, Any] = response.json()
        return goal

    # -- in the log

    @asynccontextmanager
    async def log(self) -> AsyncIterator[JetStreamEventLog]:
        """The event log, over a connection of the test's own that outlives a restart of the server."""
        nc = await connect(self.ready.nats_url, "test", give_up_after_s=300)
        try:
            yield JetStreamEventLog(nc)
        finally:
            await nc.close()

    async def events(self, goal_id: str) -> list[Recorded]:
        """Everything in the log about the goal, in order."""
        async with self.log() as log:
            return await log.read(goal_id)

    async def of(self, goal_id: str, kind: type[E]) -> list[E]:
        """The goal's events of one kind, in order."""
        return [r.event for r in await self.events(goal_id) if isinstance(r.event, kind)]

    async def see(
        self, goal_id: str, wanted: Callable[[Event], bool], *, after: int = 0, deadline_s: float = 300.0
    ) -> Recorded:
        """Wait for an event of the goal, by the log alone; returns the first that is wanted."""
        async with self.log() as log:

            async def found() -> Recorded | None:
                try:
                    messages = await log.read(goal_id, after=after)
                except StoreUnavailable:
                    return None
                return next((r for r in messages if isinstance(r.event, Event) and wanted(r.event)), None)

            try:
                seen = await until(found, deadline_s, f"an event of {goal_id}", pause_s=0.03)
            except AssertionError as error:
                raise AssertionError("\n".join([str(error), *await self.told(goal_id)])) from error
        assert seen is not None
        return seen

    async def told(self, goal_id: str) -> list[str]:
        """The goal's story in plain lines, without their times."""
        lines = render_all({}, await self.events(goal_id))
        return [f"{line.component}: {line.text}" for line in lines]

    # -- its processes

    def units(self) -> dict[str, UnitState]:
        """Every process of the hub by name."""
        return read_states(self.data.run / "services.json")

    def pid_of(self, service: str) -> int:
        """The process id of a service that runs, e.g. `gateway` or `Worker-1`."""
        pid = self.units()[service].pid
        assert pid is not None, f"{service} does not run"
        return pid

    def kill(self, service: str) -> int:
        """SIGKILL a service; returns the id of the dead process."""
        pid = self.pid_of(service)
        os.kill(pid, signal.SIGKILL)
        return pid

    async def back(self, service: str, dead: int) -> None:
        """Wait until a service that was killed runs again."""
        await until(lambda: self.units()[service].pid not in (None, dead), 300, f"{service} runs again")

    def living(self) -> list[str]:
        """Command lines of all processes that belong to this hub's folder, its supervisor left out."""
        return living(self.data.root)

    def cli(self, *words: str, timeout: float = 900.0) -> subprocess.CompletedProcess[str]:
        """Run `agenthub …` against this hub."""
        env = {"AGENTHUB_URL": self.url, "AGENTHUB_DATA_DIR": str(self.data.root)}
        return run_cli(*words, env=env, timeout=timeout)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop the hub with a signal and wait; returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.http.close()
            if self.process.stdout is not None:
                self.process.stdout.close()
        return code


class Played:
    """A goal that came to rest: how it stands, and all that the log says about it."""

    def __init__(self, hub: RunningHub, goal: dict[str, Any], log: list[Recorded]) -> None:
        self.hub = hub
        self.goal = goal
        self.goal_id = str(goal["goal_id"])
        self.log = log

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind, in order."""
        return [r.event for r in self.log if isinstance(r.event, kind)]


def play(hub: RunningHub, goal_id: str, *statuses: str) -> Played:
    """Wait until a submitted goal is in one of these states. For fixtures: needs no running event loop."""

    async def rest() -> Played:
        return Played(hub, await hub.wait_for(goal_id, *statuses), await hub.events(goal_id))

    # Not asyncio.run: it would take away the event loop that the test runner has set.
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(rest())
    finally:
        loop.close()


def clean_environment() -> dict[str, str]:
    """The environment without settings of a developer's own hub."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


def run_cli(
    *words: str, env: Mapping[str, str] | None = None, timeout: float = 900.0
) -> subprocess.CompletedProcess[str]:
    """Run `agenthub …` and return what it printed and its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "agenthub_cli.main", *words],
        env={**clean_environment(), **(env or {})},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def start_hub(folder: Path, *options: str, env: Mapping[str, str] | None = None) -> RunningHub:
    """`agenthub up` on `folder`, with the rehearsal model unless `env` says otherwise; returns once ready."""
    command = [sys.executable, "-m", "agenthub_cli.main", "up", "--json", "--port", "0", "--data-dir", str(folder)]
    log_path = folder.with_name(f"{folder.name}.log")
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [*command, *options],
            stdout=subprocess.PIPE,
            stderr=log,
            env={**clean_environment(), "AGENTHUB_PROVIDER": "rehearsal", **(env or {})},
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait()
        process.stdout.close()
        raise AssertionError(f"the hub did not start: {log_path.read_text()[-2000:]}")
    return RunningHub(process, msgspec.json.decode(line, type=Ready))


@contextmanager
def running_hub(folder: Path, *options: str, env: Mapping[str, str] | None = None) -> Iterator[RunningHub]:
    """A hub of the test's own, stopped at the end."""
    hub = start_hub(folder, *options, env=env)
    try:
        yield hub
    finally:
        hub.end()


def living(folder: Path) -> list[str]:
    """Command lines of the processes whose environment or working directory names the data folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            names = str(folder) in (entry / "environ").read_text(errors="replace")
            inside = os.readlink(entry / "cwd").startswith(str(folder))
        except OSError:
            continue
        if words and (names or inside):
            found.append(words)
    return found


def subsequence(wanted: Sequence[str | tuple[str, set[str]]], lines: Sequence[str]) -> str:
    """What is wanted first and does not come up in the lines after those before it; empty when all comes up.

    A pair is a text and the names that the lists behind it have to hold: on a busy machine what is enqueued in one
    moment may stand on two lines.
    """
    rest = iter(lines)
    for item in wanted:
        text, names = item if isinstance(item, tuple) else (item, set[str]())
        if not any(
            text in line and not (names := names - set(line.partition(text)[2].split(", "))) for line in rest
        ):
            return str(item)
    return ""
