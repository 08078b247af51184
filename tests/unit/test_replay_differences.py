"""What a replay notices: other bounds, another decision, another request, another move; and where it says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec
import pytest

from agenthub_events.base import Event
from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.context import digest_of
from agenthub_events.errors import InvalidInput
from agenthub_events.runs import Resumed, TurnReply, decode_setup, decode_step, encode_setup, encode_step
from agenthub_events.serialization.codec import encode
from agenthub_orchestrator.domain import (
    DecisionInputs,
    Fired,
    Policy,
    decode_policy,
    encode_policy,
    from_metadata,
    to_metadata,
)
from agenthub_orchestrator.domain.inputs import CODE, DECIDED_AT, FIRED, POLICY
from agenthub_orchestrator.policy_objects import PolicyObjects
from agenthub_replay.history import GoalHistory, StoredMessage
from agenthub_replay.playing.bounds import change_of
from agenthub_replay.playing.decisions import replay_decisions
from agenthub_replay.playing.differences import Divergence, Replayed
from agenthub_replay.playing.replaying import replay
from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from tests.replay.goals import history_of

GOAL = "0.1.0-price-vat"


@pytest.fixture(scope="module")
def history() -> GoalHistory:
    return history_of(GOAL)


def played(history: GoalHistory) -> Replayed:
    return asyncio.run(replay(history))


def beyond(differences: Iterable[Divergence], history: GoalHistory) -> list[Divergence]:
    """Those that are not there anyway, since today's code differs on purpose from the code that wrote the file."""
    meant = played(history).differences
    return [d for d in differences if d not in meant]


def with_events(history: GoalHistory, change: Callable[[StoredMessage], StoredMessage | None]) -> GoalHistory:
    changed = [new for message in history.messages if (new := change(message)) is not None]
    return GoalHistory(history.goal_id, changed, history.step_messages, history.objects)


def with_steps(history: GoalHistory, change: Callable[[StoredMessage], StoredMessage | None]) -> GoalHistory:
    changed = [new for message in history.step_messages if (new := change(message)) is not None]
    return GoalHistory(history.goal_id, history.messages, changed, history.objects)


@pytest.mark.parametrize(
    ("setting", "differs"),
    [
        ("max_retries=3", False),
        ("max_retries=7", True),
        ("max_rounds=1", False),
        ("max_open_orders=50", False),
        ("max_open_orders=0", True),
    ],
)
def test_other_bounds_are_tried_on_the_same_history(history: GoalHistory, setting: str, differs: bool) -> None:
    assert bool(beyond(replay_decisions(history, change_of([setting])).differences, history)) is differs


def test_the_first_difference_shows_both_sides(history: GoalHistory) -> None:
    first = replay_decisions(history, change_of(["max_retries=7"])).differences[0]
    order = next(r for r in history.events if isinstance(r.event, TaskEnqueued))
    assert (first.kind, first.seq, first.what) == ("decision", order.seq, "task.enqueued")
    assert '"max_retries"' not in first.recorded
    assert '"max_retries":7' in first.replayed


@pytest.mark.parametrize("setting", ["max_retries", "nothing=1", "max_retries=many", "agent_hashes={}", "", "=4"])
def test_a_setting_that_is_none_is_refused_with_those_that_there_are(setting: str) -> None:
    with pytest.raises(InvalidInput, match="max_retries"):
        change_of([setting])


def test_a_decision_that_today_is_not_made_is_named(history: GoalHistory) -> None:
    def reworded(message: StoredMessage) -> StoredMessage:
        event = next(r.event for r in history.events if r.seq == message.seq)
        if not isinstance(event, TaskEnqueued) or event.task_id != "t-write-price-tests":
            return message
        return msgspec.structs.replace(message, data=encode(msgspec.structs.replace(event, title="Another")))

    found = beyond(replay_decisions(with_events(history, reworded)).differences, history)
    assert [(d.what, d.where) for d in found if d.what == "task.enqueued"] == [
        ("task.enqueued", f"{history.goal_id}.t-write-price-tests")
    ]


def test_a_decision_that_was_not_made_at_the_time_is_named(history: GoalHistory) -> None:
    without = with_events(history, lambda m: None if m.subject.endswith("seal.recorded") else m)
    found = replay_decisions(without).differences
    assert [(d.what, d.recorded, bool(d.replayed)) for d in found][-1] == ("seal.recorded", "", True)


def test_a_reply_that_was_another_one_changes_the_requests_after_it(history: GoalHistory) -> None:
    changed = 0

    def other_words(message: StoredMessage) -> StoredMessage:
        nonlocal changed
        step = decode_step(message.data)
        if ".t-write-price-tests.1." not in message.subject or not isinstance(step, TurnReply) or changed:
            return message
        changed = message.seq
        content = ({"type": "text", "text": "Something else"}, *step.content)
        return msgspec.structs.replace(message, data=encode_step(msgspec.structs.replace(step, content=content)))

    found = beyond(played(with_steps(history, other_words)).differences, history)
    assert found
    assert {d.kind for d in found} == {"request"}
    assert min(d.seq for d in found) > changed


def test_a_tool_call_that_the_model_never_made_is_a_move_that_differs(history: GoalHistory) -> None:
    lost = next(m for m in history.step_messages if m.subject.endswith("step.tool.intent"))
    found = beyond(played(with_steps(history, lambda m: None if m.seq == lost.seq else m)).differences, history)
    assert found[0].kind == "move"
    assert "RunTool" in found[0].replayed


def test_what_an_agent_was_told_is_made_again_from_its_file_and_context(history: GoalHistory) -> None:
    first = next(m for m in history.step_messages if isinstance(decode_step(m.data), Resumed))
    step = decode_step(first.data)
    assert isinstance(step, Resumed)
    setup = decode_setup(history.objects[step.setup_ref])
    other = encode_setup(msgspec.structs.replace(setup, system=f"{setup.system}Be brief."))
    renamed = msgspec.structs.replace(step, setup_ref=digest_of(other))
    objects = {**history.objects, digest_of(other): other}
    steps = [
        msgspec.structs.replace(m, data=encode_step(renamed)) if m.seq == first.seq else m
        for m in history.step_messages
    ]
    found = played(GoalHistory(history.goal_id, history.messages, steps, objects)).differences
    prompts = [d for d in found if (d.kind, d.what, d.seq) == ("setup", "system prompt", first.seq)]
    assert [d.recorded.endswith("Be brief.") for d in prompts] == [True]


def test_what_is_gone_is_said_and_not_guessed(history: GoalHistory) -> None:
    lost = next(
        decoded.setup_ref for m in history.step_messages if isinstance(decoded := decode_step(m.data), Resumed)
    )
    objects = {digest: data for digest, data in history.objects.items() if digest != lost}
    replayed = played(GoalHistory(history.goal_id, history.messages, history.step_messages, objects))
    assert any(lost in name for name in replayed.missing)
    assert beyond(replayed.differences, history) == []


def test_a_goal_from_before_the_inputs_were_recorded_is_decided_again_from_what_there_is(
    history: GoalHistory,
) -> None:
    def as_before(message: StoredMessage) -> StoredMessage:
        event = next(r.event for r in history.events if r.seq == message.seq)
        assert isinstance(event, Event)
        kept = {
            name: text for name, text in event.metadata.items() if name not in (DECIDED_AT, POLICY, FIRED, CODE)
        }
        return msgspec.structs.replace(message, data=encode(msgspec.structs.replace(event, metadata=kept)))

    replayed = replay_decisions(with_events(history, as_before))
    assert replayed.unrecorded == replayed.compared > 0
    meant = {(d.seq, d.what) for d in played(history).differences}
    # Its seal binds the bytes as they were.
    assert [d.what for d in replayed.differences if (d.seq, d.what) not in meant] == ["seal.recorded"]


def test_the_inputs_of_a_decision_come_back_as_they_were_written() -> None:
    fired = frozenset({Fired("retry", "t-a", "2"), Fired("deadline", "_", "2026-01-05T09:00:00+00:00")})
    now = datetime(2026, 1, 5, 9, 0, 0, 123, tzinfo=UTC)
    inputs = DecisionInputs(observed_seq=7, now=now, fired=fired, policy_ref="a" * 64, code="1.0+abc")
    assert from_metadata(to_metadata(inputs)) == inputs
    assert from_metadata({"actor": "person"}) is None
    assert from_metadata({"observed_seq": "7"}) == DecisionInputs(observed_seq=7)
    policy = Policy(agent_hashes={"coding": "x"}, durations={"coding": (1.5, 2.5)}, max_rounds=9)
    assert decode_policy(encode_policy(policy)) == policy


async def test_a_policy_is_stored_once_before_what_it_has_decided() -> None:
    artifacts = InMemoryArtifacts()
    objects = PolicyObjects(artifacts)
    first = objects.ref(Policy())
    assert objects.ref(Policy()) == first
    assert artifacts.objects == {}
    await asyncio.gather(*(objects.keep(first) for _ in range(3)))
    other = objects.ref(Policy(max_rounds=1))
    await objects.keep(other)
    await objects.keep(first)
    assert [decode_policy(data) for data in artifacts.objects.values()] == [Policy(), Policy(max_rounds=1)]
    assert list(artifacts.objects) == [first, other]
