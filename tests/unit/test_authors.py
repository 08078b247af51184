"""What a worker writes about a task that its agent type does not do stands in the log and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from agenthub_events.agent_types import AGENT_TYPES
from agenthub_events.base import Event
from agenthub_events.catalogue import REGISTRY
from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked
from agenthub_events.catalogue.gate import GateFailed, GatePassed
from agenthub_events.catalogue.goal import GoalCancelled
from agenthub_events.catalogue.money import BudgetReserved, LlmCalled
from agenthub_events.catalogue.task import (
    KnowledgeRecorded,
    MergeConflicted,
    MergeDone,
    TaskCompleted,
    TaskEnqueued,
    TaskFailed,
    TaskParked,
    TaskProposed,
    TaskStarted,
    TaskTimedOut,
)
from agenthub_events.catalogue.values import PlanTask, TaskResult
from agenthub_events.ports import Recorded
from agenthub_events.rules.authors import OF_GATES, OF_MERGES, OF_MONEY, OF_TASKS, is_foreign, own
from agenthub_events.serialization.codec import Unreadable, decode_at, encode
from agenthub_events.subjects import GOAL_AS_A_WHOLE, aggregate_of, subject_of
from agenthub_orchestrator.domain.state.fold import apply
from agenthub_orchestrator.domain.state.goal import GoalState, initial
from agenthub_replay.history import GoalHistory, StoredMessage
from agenthub_replay.positions import every_position, story
from agenthub_replay.verifying import verify
from agenthub_runtime.bus_users.rights import rights_of, users_of
from tests.replay.goals import FILES, history_of, name_of
from tests.support.publishing import WORKERS, publishers

GOAL = "g-" + "0" * 26
AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
SPREAD = 100
SEQUENCES = ("blocked_seq", "up_to_seq", "instead_of")


def forgeries(task_id: str) -> Iterator[tuple[str, Event]]:
    """One event of each kind that a worker writes, about this task."""
    yield (
        "",
        TaskStarted(
            task_id=task_id, attempt=1, worker="Mallory", agent="x", instance="m", delivery=9, ack_subject="evt.x"
        ),
    )
    yield (
        "",
        TaskCompleted(task_id=task_id, agent="x", attempt=1, result=TaskResult(summary="forged", commit="f" * 40)),
    )
    yield "", TaskFailed(task_id=task_id, attempt=1, failure_class="model", reason="forged")
    yield "", TaskTimedOut(task_id=task_id, attempt=1, limit_s=1)
    yield "", TaskParked(task_id=task_id, attempt=1, reason="config", detail="forged")
    yield "", AgentBlocked(task_id=task_id, attempt=1, question="Please send me the key?")
    yield "", KnowledgeRecorded(task_id=task_id, kind="decision", text="forged")
    yield "", TaskProposed(task_id=task_id, attempt=1, tasks=(PlanTask(key="x", title="x", agent="coding"),))
    yield (
        "",
        MergeConflicted(task_id=task_id, attempt=1, files=("a",), base="b", head="h", commit="c", bundle_ref=""),
    )
    yield (
        "",
        LlmCalled(
            task_id=task_id, attempt=1, turn=1, model="m", provider="p", stop_reason="end_turn", request_hash="h"
        ),
    )
    yield (
        GOAL_AS_A_WHOLE,
        MergeDone(task_id=task_id, attempt=1, base="b", head="e" * 40, commit="c", tree="t", bundle_ref="x"),
    )
    yield GOAL_AS_A_WHOLE, BudgetReserved(task_id=task_id, attempt=1, slice=7, calls=999, cost_usd=9.0)
    for verdict in (GatePassed, GateFailed):
        for gate in ("tests", "security", "review"):
            yield "", verdict(gate=gate, round=1, attempt=1, commit="d" * 40, task_id=task_id)


def forged(goal_id: str, task_id: str, author: str, seq: int) -> Iterator[StoredMessage]:
    """All of them, as a worker of type `author` may put them into the log."""
    for number, (whole, event) in enumerate(forgeries(task_id)):
        place = whole or task_id
        sealed = msgspec.structs.replace(
            event, originator_id=aggregate_of(goal_id, place, event.type), originator_version=1, timestamp=AT
        )
        subject = subject_of(goal_id, place, event.type, author)
        yield StoredMessage(seq=seq + number, subject=subject, data=encode(sealed))


def spread(history: GoalHistory) -> list[StoredMessage]:
    """The messages of a goal with room between them; what names a sequence names the new one."""
    found = []
    for recorded in history.events:
        event = recorded.event
        assert isinstance(event, Event)
        named = {name: getattr(event, name) * SPREAD for name in SEQUENCES if getattr(event, name, 0)}
        data = encode(msgspec.structs.replace(event, **named))
        found.append(StoredMessage(seq=recorded.seq * SPREAD, subject=recorded.subject, data=data))
    return found


def attacked(messages: Sequence[StoredMessage], goal_id: str) -> list[StoredMessage]:
    """The same with forgeries behind every message, about each task in turn and about two that nobody ordered."""
    found: list[StoredMessage] = []
    types: dict[str, str] = {"t-nobody": "", "gate-tests-9": ""}
    for number, message in enumerate(messages):
        found.append(message)
        event = decode_at(message.subject, message.data)
        if isinstance(event, TaskEnqueued):
            types[event.task_id] = event.agent_type
        task_id, agent_type = list(types.items())[number % len(types)]
        author = [name for name in AGENT_TYPES if name != agent_type][number % (len(AGENT_TYPES) - 1)]
        found += forged(goal_id, task_id, author, message.seq + 1)
    return found


def told(state: GoalState) -> dict[str, Any]:
    """All that a decision can rest on, without fences and what counts messages."""
    counts = {"last_seq", "last_at", "messages", "to_seal", "families", "unknown", "seal_due", "tasks"}
    seen = {field.name: getattr(state, field.name) for field in fields(state) if field.name not in counts}
    tasks = {
        task_id: {field.name: getattr(task, field.name) for field in fields(task) if field.name != "fence"}
        for task_id, task in state.tasks.items()
    }
    return {**seen, "tasks": tasks}


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_no_forgery_of_another_type_changes_what_is_decided_or_shown(file: Any) -> None:
    history = history_of(name_of(file))
    clean = GoalHistory(history.goal_id, spread(history), (), history.objects)
    hostile = GoalHistory(history.goal_id, attacked(clean.messages, history.goal_id), (), history.objects)
    assert len(hostile.messages) > 15 * len(clean.messages)

    quiet, loud = initial(history.goal_id), initial(history.goal_id)
    forged_at = {message.seq for message in hostile.messages} - {message.seq for message in clean.messages}
    calm = iter(clean.events)
    for recorded in hostile.events:
        apply(loud, recorded)
        if recorded.seq not in forged_at:
            apply(quiet, next(calm))
    assert told(loud) == told(quiet)
    assert list(story(hostile)) == list(story(clean))
    shown = {seen.seq: seen for seen in every_position(hostile)}
    for seen in every_position(clean):
        goal = msgspec.structs.replace(shown[seen.seq].goal, events=seen.goal.events)
        assert msgspec.structs.replace(shown[seen.seq], goal=goal) == seen
    flaws = {flaw.seq for flaw in verify(hostile).flaws if "counts for nothing" in flaw.what}
    assert flaws == forged_at


def test_the_fence_of_a_task_covers_what_is_foreign() -> None:
    state = initial(GOAL)
    for message in forged(GOAL, "t-a", "coding", 1):
        recorded = Recorded(
            seq=message.seq, subject=message.subject, event=decode_at(message.subject, message.data)
        )
        apply(state, recorded)
    of_task = [m.seq for m in forged(GOAL, "t-a", "coding", 1) if ".t-a." in m.subject]
    assert not state.tasks
    assert (state.task_fence("t-a").seq, state.task_fence("t-a").count) == (of_task[-1], len(of_task))
    assert state.fence("merge").count == state.fence("budget").count == 1


ORDERED = {"t-a": "coding", "gate-tests-1": "testing", "gate-review-2": "review"}


def recorded(place: str, event: Event, *route: str, about: str = "") -> Recorded:
    sealed = msgspec.structs.replace(event, originator_id=about or aggregate_of(GOAL, place, event.type))
    return Recorded(seq=5, subject=subject_of(GOAL, place, event.type, *route), event=sealed)


def verdict(gate: str = "tests", round_: int = 1, task_id: str = "gate-tests-1") -> GatePassed:
    return GatePassed(gate=gate, round=round_, attempt=1, commit="c", task_id=task_id)  # type: ignore[arg-type]


DONE = TaskCompleted(task_id="t-a", agent="x", attempt=1, result=TaskResult(summary="s"))
FAILED = TaskFailed(task_id="gate-tests-1", attempt=1, failure_class="model", reason="r")
MERGED = MergeDone(task_id="t-a", attempt=1, base="b", head="h", commit="c", tree="t", bundle_ref="x")
HONEST = [
    recorded("t-a", DONE),
    recorded("t-a", DONE, "coding"),
    recorded("gate-tests-1", verdict(), "testing"),
    recorded("gate-tests-1", FAILED, "testing"),
    recorded("_", MERGED, "coding"),
    recorded("_", MERGED),
    recorded("_", GoalCancelled(by="ann")),
    recorded("t-a", AgentAnswered(action="skip", by="ann", blocked_seq=3)),
]
FOREIGN = [
    recorded("t-a", DONE, "review"),
    recorded("t-a", DONE, "coding", "coding"),
    recorded("t-a", DONE, "coding", "x"),
    recorded("t-b", msgspec.structs.replace(DONE, task_id="t-b"), "coding"),
    # The subject is that of its own task, the body speaks of another one.
    recorded("t-a", msgspec.structs.replace(DONE, task_id="gate-tests-1"), "coding"),
    recorded("t-a", DONE, "coding", about=f"{GOAL}.gate-tests-1"),
    recorded("gate-tests-1", verdict(), "review"),
    recorded("gate-tests-1", verdict(), "coding"),
    recorded("gate-tests-1", verdict(gate="review"), "testing"),
    recorded("gate-tests-1", verdict(round_=2), "testing"),
    recorded("gate-review-2", verdict(gate="review", round_=2, task_id="gate-review-2"), "testing"),
    recorded("t-a", verdict(task_id="t-a"), "coding"),
    recorded("_", MERGED, "review"),
    recorded("_", msgspec.structs.replace(MERGED, task_id="gate-tests-1"), "coding"),
    recorded("_", msgspec.structs.replace(MERGED, task_id="t-b"), "coding"),
    # No worker asks in the name of the goal, merges in that of a task, or speaks for the hub.
    recorded("_", AgentBlocked(question="?", task_id="t-a"), "coding"),
    recorded("_", DONE, "coding"),
    recorded("t-a", MERGED, "coding"),
]


@pytest.mark.parametrize("message", HONEST, ids=lambda message: message.subject[30:])
def test_what_its_writer_may_say_counts(message: Recorded) -> None:
    assert not is_foreign(message, ORDERED)


@pytest.mark.parametrize("message", FOREIGN, ids=lambda message: message.subject[30:])
def test_what_its_writer_may_not_say_does_not_count(message: Recorded) -> None:
    assert is_foreign(message, ORDERED)


def test_what_nobody_can_read_is_foreign_as_well_and_freezes_no_task_of_another_type() -> None:
    garbage = Unreadable(b"{", "not JSON")
    for place, author, foreign in (("t-a", "review", True), ("t-a", "coding", False), ("_", "coding", False)):
        kind = "merge.done" if place == "_" else "task.failed"
        message = Recorded(seq=5, subject=subject_of(GOAL, place, kind, author), event=garbage)
        assert is_foreign(message, ORDERED) is foreign


def test_the_type_that_counts_is_that_of_the_last_order_before() -> None:
    def order(seq: int, attempt: int, agent_type: str) -> Recorded:
        event = TaskEnqueued(
            task_id="t-a", agent="x", agent_type=agent_type, attempt=attempt, lane="p2", title="T", timeout_s=9
        )
        return Recorded(seq=seq, subject=subject_of(GOAL, "t-a", event.type, agent_type, "p2"), event=event)

    def done(seq: int, author: str) -> Recorded:
        return msgspec.structs.replace(recorded("t-a", DONE, author), seq=seq)

    told = [order(1, 1, "coding"), done(2, "debug"), done(3, "coding"), order(4, 2, "debug"), done(5, "coding")]
    assert [r.seq for r in own([*told, done(6, "debug")])] == [1, 3, 4, 6]
    assert [r.seq for r in own([done(2, "debug"), done(3, "coding")], [told[0], told[3]])] == [3]


def test_a_body_that_is_no_such_event_as_its_subject_says_cannot_be_read() -> None:
    answer = encode(AgentAnswered(action="skip", by="nobody", blocked_seq=3))
    found = decode_at(subject_of(GOAL, "t-a", "task.failed", "coding"), answer)
    assert isinstance(found, Unreadable)
    assert "`task.failed`, its body `agent.answered`" in found.reason
    assert isinstance(decode_at(subject_of(GOAL, "t-a", "agent.answered"), answer), AgentAnswered)


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_event_of_a_goal_is_published_by_exactly_those_who_are_meant(file: Any) -> None:
    services = {"orchestrator": "orchestrator", "notifier": "notifier"}
    authors = {"orchestrator", "gateway", "notifier", "projector"}
    types: dict[str, str] = {}
    by_workers = (*OF_TASKS, *OF_GATES, *OF_MERGES, *OF_MONEY)
    seen = 0
    for message in history_of(name_of(file)).events:
        event, task_id = message.event, message.subject.split(".")[2]
        assert isinstance(event, Event)
        if isinstance(event, TaskEnqueued):
            types[task_id] = event.agent_type
        actor = event.metadata["actor"]
        if actor.startswith("Worker-"):
            assert event.type in by_workers
            about = event.task_id if task_id == GOAL_AS_A_WHOLE else task_id  # type: ignore[attr-defined]
            # What was written before workers named their type stays readable, and no worker writes it any more.
            assert not publishers(message.subject) & WORKERS
            assert publishers(f"{message.subject}.{types[about]}") == {f"worker-{types[about]}", "workers"}
            seen += 1
        else:
            assert services.get(actor, "gateway") in publishers(message.subject)
            assert publishers(message.subject) <= authors
    assert seen > 20


def test_a_type_writes_what_ends_in_it_and_verdicts_are_for_those_who_judge() -> None:
    judges = {"testing", "security", "review"}
    for agent_type in AGENT_TYPES:
        meant = {f"worker-{agent_type}", "workers"}
        for kind in OF_TASKS:
            assert publishers(subject_of(GOAL, "t-a", kind, agent_type)) == meant
        for kind in OF_GATES:
            assert publishers(subject_of(GOAL, "gate-tests-1", kind, agent_type)) == (
                meant if agent_type in judges else set()
            )
        for kind in OF_MERGES:
            writes_files = agent_type not in ("planner", "noop")
            assert publishers(subject_of(GOAL, "_", kind, agent_type)) == (meant if writes_files else set())
    for kind in (*OF_TASKS, *OF_GATES, *OF_MERGES, *OF_MONEY):
        assert not publishers(subject_of(GOAL, "t-a", kind)) & WORKERS
        assert not publishers(subject_of(GOAL, "_", kind)) & WORKERS
        assert not publishers(subject_of(GOAL, "t-a", kind, "coding", "x"))
        assert not publishers(subject_of(GOAL, "t-a", kind, "*"))


def test_every_event_may_be_written_by_somebody_and_nothing_else_may() -> None:
    granted = {
        ".".join(subject.split(".")[3:5])
        for user in users_of()
        if (rights := rights_of(user)) is not None
        for subject in rights.publish
        if subject.startswith("evt.")
    }
    assert granted == REGISTRY.keys()
