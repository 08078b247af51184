"""Recorded steps of an attempt."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agenthub_events.runs import (
    Closed,
    Nudge,
    Resumed,
    RunId,
    Step,
    ToolIntent,
    ToolReceipt,
    TurnIntent,
    TurnReply,
    decode_step,
    encode_step,
    step_id,
    step_kind,
)
from tests.support.event_samples import GOAL
from tests.support.event_strategies import structs
from tests.support.properties import untimed

RUN = RunId(GOAL, "t-a", 2)
STEPS: st.SearchStrategy[Step] = st.sampled_from(get_args(Step)).flatmap(structs)


@untimed
@given(STEPS)
def test_every_step_comes_back_as_it_went(step: Step) -> None:
    assert decode_step(encode_step(step)) == step


@untimed
@given(STEPS)
def test_the_same_step_has_the_same_id_in_its_run_alone(step: Step) -> None:
    again = decode_step(encode_step(step))
    here = step_id(RUN, step, expected=7)
    assert step_id(RUN, again, expected=7) == here
    assert step_id(RunId(GOAL, "t-a", 3), step, expected=7) != here


def test_steps_of_a_run_lie_below_one_fence() -> None:
    assert RUN.prefix == f"run.{GOAL}.t-a.2"
    assert RUN.step_filter == f"run.{GOAL}.t-a.2.step.>"


def test_kinds_are_told_apart_and_so_are_their_ids() -> None:
    intent = TurnIntent(turn=1, tries=1, request_hash="h", model="m")
    steps: list[Step] = [
        intent,
        msgspec.structs.replace(intent, tries=2),
        msgspec.structs.replace(intent, turn=2),
        TurnReply(turn=1, tries=1, request_hash="h", model="m", provider="p", stop_reason="end_turn", content=()),
        ToolIntent(turn=1, tool_use_id="u1", name="bash", input={}),
        ToolIntent(turn=1, tool_use_id="u2", name="bash", input={}),
        ToolReceipt(turn=1, tool_use_id="u1", name="bash", text=""),
        Nudge(text="look"),
        Nudge(text="look", note_seq=9),
        Resumed(instance="i", worker="w", delivery=1),
        Resumed(instance="i", worker="w", delivery=2),
        Closed(reason="timed out"),
    ]
    assert len({step_id(RUN, step, expected=7) for step in steps}) == len(steps)
    assert step_kind(intent) == "turn.intent"


@pytest.mark.parametrize("data", [b"", b"{}", b'{"kind":"dance"}', b'{"kind":"closed"}', b"\xff"])
def test_what_is_no_step_is_a_decode_error(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_step(data)


@pytest.mark.parametrize("said", ["sk-ant-abcdefgh12345678", 'DSN = "postgresql://app:app@localhost/app"', "a\0b"])
def test_a_step_holds_every_byte_that_was_said(said: str) -> None:
    steps: list[Step] = [
        TurnReply(
            turn=1,
            tries=1,
            request_hash="h",
            model="m",
            provider="p",
            stop_reason="tool_use",
            content=({"type": "thinking", "thinking": said, "signature": said}, {"type": "text", "text": said}),
        ),
        ToolIntent(turn=1, tool_use_id="u", name="bash", input={said: [{"deep": said}]}),
        ToolReceipt(turn=1, tool_use_id="u", name="bash", text=said),
        Nudge(text=said),
    ]
    assert [decode_step(encode_step(step)) for step in steps] == steps
