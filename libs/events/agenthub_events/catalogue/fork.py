"""What a forked goal begins with: the other goal as of an event, and what is different."""

from __future__ import annotations

from agenthub_events.base import Record
from agenthub_events.catalogue.values import PlanAnalysis, PlannedTask, TaskResult, TestEvidence


class InheritedTask(Record, frozen=True, kw_only=True):
    """A task that had ended in the parent: done with `result`, or (None) skipped by a person for `reason`."""

    task_id: str
    agent: str = ""
    result: TaskResult | None = None
    skipped_by: str = ""
    reason: str = ""


class InheritedMerge(Record, frozen=True, kw_only=True):
    """A step of the parent's branch: a `merge.done` of its log, in the same words and with the same objects."""

    task_id: str
    attempt: int
    base: str
    head: str
    commit: str
    tree: str
    bundle_ref: str
    origin: str = "task"
    tests: TestEvidence | None = None


class InheritedNote(Record, frozen=True, kw_only=True):
    """Something that an agent of the parent recorded for everybody on the goal."""

    task_id: str
    kind: str
    text: str


class InheritedRework(Record, frozen=True, kw_only=True):
    """Changes that a person had asked the parent for."""

    rework_id: str
    feedback: str
    by: str


class Fork(Record, frozen=True, kw_only=True):
    """The goal `goal_id` as of its event `at_seq`, and what is done differently from there on.

    `tasks` is the whole plan (empty: the parent had none yet), of which `ended` is over; the rest is ordered
    anew. Tasks that rules had made (planning, gates, repairs) are no part of it: the rules make them again.
    `merges` lead to the files. The first `reworks_answered` of the `reworks` are part of the plan. `model` (empty:
    as the hub and the agents' files say) does the work, and every agent is told `prompt`.
    """

    goal_id: str
    at_seq: int
    tasks: tuple[PlannedTask, ...] = ()
    analysis: PlanAnalysis = PlanAnalysis()
    ended: tuple[InheritedTask, ...] = ()
    merges: tuple[InheritedMerge, ...] = ()
    notes: tuple[InheritedNote, ...] = ()
    reworks: tuple[InheritedRework, ...] = ()
    reworks_answered: int = 0
    plan_approved: bool = False
    model: str = ""
    prompt: str = ""
