"""What agents do in the simulation: a function of the seed, the task and the conversation so far."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, Literal, NamedTuple

from agenthub_events.catalogue.gate import GateFailed, GatePassed, GateVerdict
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.catalogue.values import PlanTask, TestCounts
from agenthub_events.context import GateOrder, WorkContext
from agenthub_events.task_ids import kind_of
from agenthub_worker.domain.model import FaultKind, ModelFault, ModelReply, ModelRequest, TokenUsage
from agenthub_worker.domain.run import INTERRUPTED, NOT_BEGUN
from tests.simulation.branch import CLASH, SOLVED

Block = dict[str, Any]

TIMEOUT_S = 30
BILLED: frozenset[FaultKind] = frozenset({"transient", "invalid", "hung", "garbled"})
_NOT_DONE = (INTERRUPTED, NOT_BEGUN)
_AGENTS = ("coding", "coding", "coding", "testing", "architect", "debug")
_FAULTS: tuple[FaultKind, ...] = (
    *("transient", "transient", "overload", "invalid", "config", "refused"),
    *("unreachable", "hung", "garbled", "too_long", "rejected"),
)


class Part(NamedTuple):
    """The script of one task. `failures`: attempts that end without a result; `faults`: what the model's server
    answers at first."""

    steps: tuple[Block, ...]
    failures: int = 0
    hangs: bool = False
    faults: tuple[FaultKind, ...] = ()
    pace_s: float = 0.5


class Script:
    """The parts of one goal. `calm`: only what ends the same however often it is interrupted."""

    def __init__(self, seed: int, goal_id: str, *, calm: bool) -> None:
        self._seed = f"{seed}-{goal_id}"
        self._calm = calm
        chance = self.chance("goal")
        self.tasks = _graph(chance, chance.randint(1, 4))
        self.planned_by_agent = chance.random() < 0.5
        self.max_llm_calls = None if calm else chance.choice((None, None, 12, 25, 60))
        self.max_time_s = None if calm else chance.choice((None, None, None, 90))
        self.approves_plan = not calm and chance.random() < 0.15
        self.delivers = self.chance("delivery").random() < 0.4

    def chance(self, name: str) -> Random:
        """Random numbers of one thing, whatever else happens."""
        return Random(f"{self._seed}-{name}")

    def part_of(self, order: TaskEnqueued, context: WorkContext) -> Part:
        """What the agent of this order does."""
        chance = self.chance(order.task_id)
        kind = kind_of(order.task_id)
        if kind == "plan":
            steps = self._planning(chance, context)
        elif context.gate is not None:
            steps = self._judging(context.gate)
        else:
            steps = self._working(chance, order.task_id, context)
        return Part(
            steps=steps,
            failures=0 if context.gate else chance.choice((0, 0, 0, 0, 0, 0, 0, 1, 2)),
            hangs=kind == "work" and chance.random() < 0.05,
            faults=self._faults(chance),
            pace_s=chance.choice((0.0, 0.1, 1.0, 4.0)),
        )

    def target_of(self, task_id: str, moves: int, attempt: int) -> Literal["", "clean", "clash"]:
        """How the target of a delivery has moved; in calm worlds the same however many attempts it takes."""
        chance = self.chance(f"{task_id}-{moves}" if self._calm else f"{task_id}-{moves}-{attempt}")
        if chance.random() < 0.4 or (self._calm and moves > 1):
            return ""
        return "clash" if chance.random() < 0.3 else "clean"

    def _faults(self, chance: Random) -> tuple[FaultKind, ...]:
        if chance.random() < 0.8:
            return ()
        allowed = _FAULTS[:3] if self._calm else _FAULTS
        return tuple(chance.choice(allowed) for _ in range(chance.choice((1, 2, 3, 6))))

    def _working(self, chance: Random, task_id: str, context: WorkContext) -> tuple[Block, ...]:
        steps = [call("bash", command=f"echo {task_id}") for _ in range(chance.choice((0, 1, 1, 2)))]
        if chance.random() < 0.3:
            steps.append(call("record_knowledge", kind="fact", text=f"learned in {task_id}"))
        if context.kind == "work" and chance.random() < 0.2:
            steps.append(call("ask_human", question=f"How shall {task_id} go on?", options=("left", "right")))
        if context.kind == "work" and chance.random() < 0.15:
            more = [{"key": f"more-{task_id}", "title": "More of it", "agent": "coding", "timeout_s": TIMEOUT_S}]
            steps.append(call("request_tasks", tasks=more, reason="something is missing"))
        if context.merge is not None:
            steps.append(call("bash", command=f"echo {context.merge.task_id} {SOLVED}{context.merge.task_id}"))
        elif context.kind == "work" and chance.random() < 0.15:
            steps.append(call("bash", command=f"echo {task_id} {CLASH}{task_id}"))
        return (*steps, _report(f"{task_id} is done"))

    def _judging(self, gate: GateOrder) -> tuple[Block, ...]:
        passed = self.passes(gate)
        if gate.gate == "review":
            verdict = "approve" if passed else "request_changes"
            return (call("git_diff"), _report("reviewed", verdict=verdict))
        finding = {"file": "app.py", "line": 7, "severity": "high", "message": "a hole"}
        return (_report("audited", findings=[] if passed else [finding]),)

    def passes(self, gate: GateOrder) -> bool:
        """The verdict of a round; from the third on it is good."""
        return gate.round > 2 or self.chance(f"{gate.gate}-{gate.round}").random() < 0.8

    def _planning(self, chance: Random, context: WorkContext) -> tuple[Block, ...]:
        number = context.plan.number if context.plan else 1
        known = [task.key for task in context.plan.graph] if context.plan else []
        # Keys of tasks that were given up are not shown, and may not be used again either.
        again = known or (context.plan is not None and (context.plan.feedback or context.plan.rejected))
        tasks = (PlanTask(key=f"extra-{number}", title="What was asked for"),) if again else self.tasks
        served = [f"R{place}" for place in range(1, len(context.requirements) + 1)]
        proposal = [
            {
                "key": task.key,
                "title": task.title,
                "agent": task.agent,
                "depends_on": task.depends_on,
                "timeout_s": TIMEOUT_S,
                "requirement_ids": served,
            }
            for task in tasks
        ]
        good = call("submit_plan", analysis={"summary": "a plan"}, tasks=proposal)
        if chance.random() < 0.3:
            return (call("submit_plan", analysis={"summary": "a bad plan"}, tasks=[]), good)
        return (good,)

    def tests_verdict(self, order: TaskEnqueued, gate: GateOrder, worker: str) -> GateVerdict:
        """What the tests of a commit show."""
        passed = self.passes(gate)
        common: dict[str, Any] = {
            "gate": gate.gate,
            "round": gate.round,
            "attempt": order.attempt,
            "commit": gate.commit,
            "task_id": order.task_id,
            "command": "pytest",
            "exit_code": 0 if passed else 1,
            "counts": TestCounts(passed=9, failed=0 if passed else 1),
            "worker": worker,
        }
        if passed:
            return GatePassed(**common)
        return GateFailed(**common, failing=(f"tests/test_{gate.round}.py::test",), blocking=gate.blocking)


class Provider:
    """The model's server: it remembers what it has answered, and counts the calls that it charges."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._faulty: Counter[str] = Counter()

    def fault_for(self, goal_id: str, task_id: str, part: Part) -> FaultKind | None:
        """Take a call; the fault that answers it, if one does."""
        key = f"{goal_id}.{task_id}"
        self._faulty[key] += 1
        number = self._faulty[key] - 1
        fault = part.faults[number] if number < len(part.faults) else None
        if fault is None or fault in BILLED:
            self.calls[goal_id] += 1
        return fault


class ScriptedModel:
    """The model behind one attempt."""

    def __init__(self, provider: Provider, goal_id: str, order: TaskEnqueued, part: Part) -> None:
        self._provider = provider
        self._goal_id = goal_id
        self._order = order
        self._part = part

    async def complete(self, request: ModelRequest, *, on_activity: Callable[[str], None]) -> ModelReply:
        fault = self._provider.fault_for(self._goal_id, self._order.task_id, self._part)
        await asyncio.sleep(self._part.pace_s)
        if self._part.hangs and self._order.attempt == 1:
            await asyncio.Event().wait()
        if fault is not None:
            raise ModelFault(fault, f"scripted: {fault}", may_be_billed=fault in BILLED)
        turn = sum(1 for message in request.messages if message["role"] == "assistant")
        steps = self._part.steps
        done = _steps_done(request)
        step = steps[min(done, len(steps) - 1)]
        if self._order.attempt <= self._part.failures and done >= len(steps) - 1:
            step = _report("it did not work out", status="failed")
        return ModelReply(
            content=[{**step, "id": f"call-{turn}"}],
            stop_reason="tool_use",
            usage=TokenUsage(input_tokens=10, output_tokens=5),
            model="scripted",
            message_id=f"message-{turn}",
        )


def _steps_done(request: ModelRequest) -> int:
    """How far the conversation has come: a call that was interrupted is made again."""
    blocks = [block for message in request.messages if message["role"] == "user" for block in message["content"]]
    return sum(1 for block in blocks if block["type"] == "tool_result" and block["content"] not in _NOT_DONE)


def call(name: str, **given: Any) -> Block:
    """A tool call of the model, without its id."""
    return {"type": "tool_use", "name": name, "input": given}


def _report(summary: str, *, status: str = "done", **more: Any) -> Block:
    return call("report_result", status=status, summary=summary, **more)


def _graph(chance: Random, count: int) -> tuple[PlanTask, ...]:
    keys = [f"k{number}" for number in range(1, count + 1)]
    return tuple(
        PlanTask(
            key=key,
            title=f"Do {key}",
            agent=chance.choice(_AGENTS),
            depends_on=tuple(sorted(chance.sample(keys[:index], min(index, chance.choice((0, 0, 1, 1, 2)))))),
            timeout_s=TIMEOUT_S,
        )
        for index, key in enumerate(keys)
    )


class Scripts(dict[str, Script]):
    """The scripts of a world's goals, also of those that a schedule begins."""

    def __init__(self, seed: int, *, calm: bool) -> None:
        super().__init__()
        self.seed = seed
        self.calm = calm

    def of(self, goal_id: str) -> Script:
        """The script of a goal, made when it is first asked for."""
        return self[goal_id]

    def __missing__(self, goal_id: str) -> Script:
        script = self[goal_id] = Script(self.seed, goal_id, calm=self.calm)
        return script
