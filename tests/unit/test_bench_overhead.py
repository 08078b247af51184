"""What the bench of a task's cost computes from traces and from the kernel's figures."""

from __future__ import annotations

import subprocess

from agenthub_cli.commands.bench.processes import Cost, costs_below, spent
from agenthub_cli.commands.bench.spans import Step, TaskSpan, steps_of
from agenthub_cli.commands.bench.workload import Working, working_chain
from agenthub_worker.rehearsal.conversation import Conversation

MS = 1_000_000


def span(name: str, number: int, parent: int, start: int, end: int, goal: str = "g") -> TaskSpan:
    return TaskSpan(
        name=name,
        goal_id=goal,
        task_id="t-a",
        span_id=bytes([number]),
        parent_id=bytes([parent]),
        start=start * MS,
        end=end * MS,
    )


def test_a_step_counts_without_those_within_it_also_where_these_run_at_once() -> None:
    spans = [
        span("merge", 1, 0, 0, 100),
        span("git add", 2, 1, 10, 40),
        span("git add", 3, 1, 30, 60),
        span("git log", 4, 1, 90, 100),
        span("merge", 5, 0, 0, 900, goal="of the warm-up"),
    ]
    assert steps_of(spans, {"g"}, 2) == [
        Step(name="git add", times=1.0, own_ms=30.0),
        Step(name="merge", times=0.5, own_ms=20.0),
        Step(name="git log", times=0.5, own_ms=5.0),
    ]
    assert steps_of([], {"g"}, 2) == []


def test_what_was_used_between_two_looks_is_told_by_process() -> None:
    before = {"worker": Cost(1.0, 2.0)}
    after = {"worker": Cost(1.5, 4.0), "gateway": Cost(0.25, 0.0)}
    assert spent(before, after) == {"worker": Cost(0.5, 2.0), "gateway": Cost(0.25, 0.0)}


def test_processes_that_are_not_below_a_process_are_not_counted() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        assert costs_below(child.pid) == {}
        child.kill()


def test_every_task_of_the_chain_writes_runs_and_reports() -> None:
    assert [task["agent"] for task in working_chain(2)] == ["coding", "coding"]
    said = [Working().step(Conversation(task_id="t-link-1", assistant_messages=n)) for n in range(4)]
    names = [turn.calls[0].name for turn in said]
    assert names == ["str_replace_based_edit_tool", "bash", "report_result", "report_result"]
