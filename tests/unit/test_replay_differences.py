"""What a replay notices: other bounds, another decision, another request, another move; and where it says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from agenthub_events.catalogue.task import TaskEnqueued
from agenthub_events.context import digest_of
from agenthub_events.errors import InvalidInput
from agenthub_events.runs import Resumed, TurnReply, decode_setup, decode_step, encode_setup, encode_step
from agenthub_events.serialization.codec import encode
from agenthub_replay.history import GoalHistory, StoredMessage
from agenthub_replay.playing.bounds import change_of
from agenthub_replay.playing.decisions import replay_decisions
from agenthub_replay.playing.differences import Replayed
from agenthub_replay.playing.replaying import replay
from tests.replay.goals import history_of

GOAL = "0.1.0-price-vat"


@pytest.fixture(scope="module")
def history() -> GoalHistory:
    return history_of(GOAL)


def played(history: GoalHistory) -> Replayed:
    return asyncio.run(replay(history))


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
    assert bool(replay_decisions(history, change_of([setting])).differences) is differs


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

    found = replay_decisions(with_events(history, reworded)).differences
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

    found = played(with_steps(history, other_words)).differences
    assert found
    assert {d.kind for d in found} == {"request"}
    assert min(d.seq for d in found) > changed


def test_a_tool_call_that_the_model_never_made_is_a_move_that_differs(history: GoalHistory) -> None:
    lost = next(m for m in history.step_messages if m.subject.endswith("step.tool.intent"))
    found = played(with_steps(history, lambda m: None if m.seq == lost.seq else m)).differences
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
    assert [(d.kind, d.what) for d in found][:1] == [("setup", "system prompt")]
    assert found[0].recorded.endswith("Be brief.")


def test_what_is_gone_is_said_and_not_guessed(history: GoalHistory) -> None:
    lost = next(
        decoded.setup_ref for m in history.step_messages if isinstance(decoded := decode_step(m.data), Resumed)
    )
    objects = {digest: data for digest, data in history.objects.items() if digest != lost}
    replayed = played(GoalHistory(history.goal_id, history.messages, history.step_messages, objects))
    assert any(lost in name for name in replayed.missing)
    assert replayed.differences == ()
