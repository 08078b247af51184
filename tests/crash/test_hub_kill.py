"""kill -9 of every process of a real hub in the middle of a goal: it ends as it would have ended undisturbed."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import msgspec
import pytest

from agenthub_events.base import Event
from agenthub_events.catalogue.gate import GateVerdict
from agenthub_events.catalogue.goal import GoalAccepted, GoalCancelled, GoalPlanned, GoalReadyForReview
from agenthub_events.catalogue.money import BudgetReserved, BudgetSettled, LlmCalled
from agenthub_events.catalogue.task import MergeDone, TaskCompleted, TaskEnqueued, TaskStarted
from agenthub_events.ports import Recorded
from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.scripted import Reply
from agenthub_worker.rehearsal.turns import Performance, call, play
from tests.support.running_hub import Body, RunningHub, clean_environment, running_hub
from tests.support.scripted_model import DONE, ScriptedModel, scripted_model
from tests.support.until import until

pytestmark = pytest.mark.extra

GOAL = "Add two numbers"
TASKS = (("write-code", ()), ("write-notes", ()), ("write-tests", ("write-code", "write-notes")))
# At most one call of each of the tasks that run at the same time.
IN_FLIGHT = 2
BODY: Body = {
    "goal": GOAL,
    "workflow": [
        {"key": key, "title": key.replace("-", " "), "agent": "coding", "depends_on": list(after)}
        for key, after in TASKS
    ],
}


def write(path: str, text: str) -> list[Reply]:
    """Write a file, look at it, report: turns enough to be killed between. What is lost is done again."""

    def script(_: Conversation) -> Performance:
        yield call("str_replace_based_edit_tool", command="create", path=path, file_text=text)
        yield call("bash", command="sleep 0.2")
        yield call("bash", command=f"cat {path}")
        yield DONE

    return [lambda conversation: play(script, conversation)]


SCRIPT = {
    "t-write-code": write("add.py", "def add(a, b):\n    return a + b\n"),
    "t-write-notes": write("notes.md", "Adding is commutative.\n"),
    "t-write-tests": write("test_add.py", "from add import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n"),
}


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with scripted_model({GOAL: SCRIPT}) as model:
        yield model


@pytest.fixture(scope="module")
def struck(model: ScriptedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    """Two workers of two slots, and one that only measures."""
    workers = "coding+testing+security+review+debug+planner+architect=2,noop=1"
    env = {**model.environment, "AGENTHUB_SLOTS": "2"}
    with running_hub(tmp_path_factory.mktemp("hub") / "data", "--workers", workers, env=env) as hub:
        yield hub


class Play(msgspec.Struct):
    """One play of the goal."""

    goal_id: str
    log: list[Recorded]

    def endings(self) -> list[tuple[str, str]]:
        """How every task and every gate ended, as often as it did."""
        return sorted(
            (event.task_id, event.type)
            for event in self.events()
            if isinstance(event, TaskCompleted | GateVerdict)
        )

    def events(self) -> list[Event]:
        return [r.event for r in self.log if isinstance(r.event, Event)]

    def events_by_subject(self) -> Counter[str]:
        """How many events each subject below the goal has."""
        return Counter(r.subject.removeprefix(f"evt.{self.goal_id}.") for r in self.log)

    def taken_over(self) -> frozenset[str]:
        """Tasks that were claimed more than once."""
        claims = Counter(event.task_id for event in self.events() if isinstance(event, TaskStarted))
        return frozenset(task_id for task_id, count in claims.items() if count > 1)

    def last_tree(self) -> str:
        return [event for event in self.events() if isinstance(event, MergeDone)][-1].tree


async def played(struck: RunningHub, goal_id: str) -> Play:
    """The goal at rest: what was spent is counted a moment after the result is ready."""
    await struck.see(goal_id, lambda event: isinstance(event, GoalReadyForReview), deadline_s=300)

    async def all_counted() -> bool:
        kinds = Counter(type(recorded.event) for recorded in await struck.events(goal_id))
        return kinds[BudgetReserved] == kinds[BudgetSettled]

    await until(all_counted, 300, "every slice of the budget is settled")
    return Play(goal_id, await struck.events(goal_id))


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Play]:
    """Filled by the first test that needs it."""
    return {}


async def calm(struck: RunningHub, known: dict[str, Play]) -> Play:
    if "calm" not in known:
        known["calm"] = await played(struck, struck.submit(BODY))
    return known["calm"]


def first(kind: type[Event], task_id: str = "") -> Callable[[Event], bool]:
    return lambda event: isinstance(event, kind) and (not task_id or getattr(event, "task_id", "") == task_id)


MOMENTS: dict[str, Callable[[Event], bool]] = {
    "orchestrator": first(TaskCompleted),
    "projector": first(GoalPlanned),
    "gateway": first(TaskStarted, "t-write-tests"),
    "nats": first(LlmCalled, "t-write-code"),
    "postgres": first(TaskStarted),
    "worker": first(LlmCalled, "t-write-code"),
}


@pytest.mark.parametrize("victim", list(MOMENTS))
async def test_i2_a_goal_ends_as_if_nobody_had_been_killed(
    struck: RunningHub, model: ScriptedModel, undisturbed: dict[str, Play], victim: str
) -> None:
    quiet = await calm(struck, undisturbed)
    goal_id = struck.submit(BODY, key=f"kill-{victim}")
    seen = await struck.see(goal_id, MOMENTS[victim])
    service = victim
    if victim == "worker":
        started = [r.event for r in await struck.events(goal_id) if r.seq <= seen.seq]
        service = next(e.worker for e in started if isinstance(e, TaskStarted) and e.task_id == "t-write-code")
    dead = struck.kill(service)
    ended = await played(struck, goal_id)
    await struck.back(service, dead)

    assert ended.endings() == quiet.endings(), "every task has its one ending"
    assert ended.last_tree() == quiet.last_tree()
    taken_over = ended.taken_over()
    assert bool(taken_over) == (victim == "worker")
    asked = model.digests(goal_id, but=taken_over)
    usual = model.digests(quiet.goal_id, but=taken_over)
    assert set(asked) == set(usual), "no other call than in the quiet play"
    assert sum((asked - usual).values()) <= IN_FLIGHT, "only calls in flight are asked again"
    for task_id in taken_over:
        # The interrupted call is told to the model, which is one turn more.
        assert model.turns(goal_id, task_id) <= model.turns(quiet.goal_id, task_id) + 2
    enqueued = [event.task_id for event in ended.events() if isinstance(event, TaskEnqueued)]
    assert len(enqueued) == len(set(enqueued)), "nothing needed a second attempt"


async def test_i12_two_orchestrators_and_two_projectors_have_one_effect(
    struck: RunningHub, model: ScriptedModel, undisturbed: dict[str, Play]
) -> None:
    quiet = await calm(struck, undisturbed)
    alone = await projectors(struck)

    async def more_projectors() -> bool:
        return await projectors(struck) > alone

    with beside(struck, "orchestrator") as orchestrator, beside(struck, "projector") as projector:
        await until(lambda: "follower_caught_up" in orchestrator.said(), 300, "the second orchestrator follows")
        await until(more_projectors, 300, "the second projector is at the database")
        ended = await played(struck, struck.submit(BODY, key="twins"))
    assert ended.endings() == quiet.endings()
    assert ended.last_tree() == quiet.last_tree()
    assert ended.events_by_subject() == quiet.events_by_subject(), "no event more than with one of each"
    assert model.digests(ended.goal_id) == model.digests(quiet.goal_id)
    assert (orchestrator.process.returncode, projector.process.returncode) == (0, 0)


async def test_i1_every_acknowledged_command_is_in_the_log(struck: RunningHub) -> None:
    one_step = [{"key": "step", "title": "One step", "agent": "noop"}]
    acknowledged: list[dict[str, Any]] = []
    killed = asyncio.Event()

    async def client(number: int) -> None:
        async with httpx2.AsyncClient(base_url=f"{struck.url}/api/v1", timeout=5, trust_env=False) as http:
            for turn in itertools.count():
                if killed.is_set():
                    return
                body = {"goal": f"Client {number}, goal {turn}", "workflow": one_step}
                answer = await insist(http, "/goals", body, f"goal-{number}-{turn}")
                acknowledged.append(answer)
                note = {"reason": "changed my mind"}
                cancel = f"/goals/{answer['goal_id']}/cancel"
                acknowledged.append(await insist(http, cancel, note, f"cancel-{number}-{turn}"))

    async def killer() -> None:
        for service in ("gateway", "nats", "gateway", "nats"):
            count = len(acknowledged) + 8
            await until(partial(enough, count), 300, f"{count} commands")
            await struck.back(service, struck.kill(service))
        killed.set()

    def enough(count: int) -> bool:
        return len(acknowledged) >= count

    await asyncio.gather(*(client(number) for number in range(4)), killer())
    assert len(acknowledged) >= 32
    async with struck.log() as log:
        for answer in acknowledged:
            messages = await log.read(f"{answer['goal_id']}._.goal")
            found = {(r.seq, r.event.event_id): r.event for r in messages if isinstance(r.event, Event)}
            kinds = Counter(type(event) for event in found.values())
            assert kinds[GoalAccepted] == 1
            # A cancel of what is over already has no event of its own.
            assert answer["event_id"] is None or (answer["sequence"], answer["event_id"]) in found
            assert kinds[GoalCancelled] <= 1


async def test_i3_the_read_models_equal_a_rebuild_after_all_the_kills(struck: RunningHub) -> None:
    verified = struck.cli("rebuild", "--verify", "--json")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    report = msgspec.json.decode(verified.stdout)
    assert report["differences"] == []
    assert report["rows"] > 100


async def test_every_stream_is_there_again_after_all_the_kills(struck: RunningHub) -> None:
    async def as_declared() -> bool:
        return struck.cli("nats", "diff").returncode == 0

    await until(as_declared, 300, "the server is as declared")


async def insist(http: httpx2.AsyncClient, path: str, body: Body, key: str) -> dict[str, Any]:
    """Send a command with its key until the hub says that it has it."""

    async def accepted() -> dict[str, Any] | None:
        try:
            response = await http.post(path, json=body, headers={"Idempotency-Key": key})
        except httpx2.TransportError:
            return None
        assert response.status_code == 202 or response.status_code >= 500, response.text
        taken: dict[str, Any] | None = response.json() if response.status_code == 202 else None
        return taken

    answer: dict[str, Any] | None = await until(accepted, 300, f"the hub takes {key}")
    assert answer is not None
    return answer


async def projectors(struck: RunningHub) -> int:
    """How many connections projectors hold to the hub's database."""
    connection = await asyncpg.connect(struck.ready.postgres_url)
    try:
        question = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'agenthub-projector'"
        return int(await connection.fetchval(question))
    finally:
        await connection.close()


class Beside(msgspec.Struct):
    """A service that a test has started beside a hub's own."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text()


@contextmanager
def beside(struck: RunningHub, service: str) -> Iterator[Beside]:
    """Another process of a service on the hub's own NATS and Postgres; told to stop at the end."""
    log = struck.data.root.with_name(f"second-{service}.log")
    env = {
        "NATS_URL": struck.ready.nats_url,
        "DATABASE_URL": struck.ready.postgres_url,
        "AGENTHUB_LOG_FORMAT": "json",
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "agenthub_cli.main", service],
            env={**clean_environment(), **env},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Beside(process, log)
    finally:
        process.terminate()
        process.wait(15)
