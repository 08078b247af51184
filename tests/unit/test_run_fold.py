"""The fold of a run: the same steps always give the same messages and the same next step."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from agenthub_events.catalogue.values import Usage
from agenthub_events.context import Answered
from agenthub_events.runs import (
    Closed,
    Nudge,
    Resumed,
    Step,
    ToolIntent,
    ToolReceipt,
    TurnFailed,
    TurnIntent,
    TurnReply,
)
from agenthub_worker.domain.model import with_own_ids
from agenthub_worker.domain.next_step import (
    Abandon,
    Bounds,
    CallModel,
    Fail,
    GetHelp,
    RunTool,
    Say,
    TellInterrupted,
    next_step,
)
from agenthub_worker.domain.run import CUT_OFF, INTERRUPTED, REPAIR, Run
from agenthub_worker.domain.stuck_detection import UNSTICK
from agenthub_worker.tools.registry import ENDINGS, REPAIRS

BOUNDS = Bounds(repairs=REPAIRS, max_turns=30, max_errors=5, max_total_tokens=10_000)


def reply(turn: int, *names: str, stop: str = "", tries: int = 1, text: str = "hm", **input_: Any) -> TurnReply:
    calls = [{"type": "tool_use", "id": f"u{turn}-{i}", "name": n, "input": input_} for i, n in enumerate(names)]
    return TurnReply(
        turn=turn,
        tries=tries,
        request_hash=f"h{turn}",
        model="m",
        provider="p",
        stop_reason=stop or ("tool_use" if names else "end_turn"),
        content=({"type": "text", "text": text}, *calls) if text else tuple(calls),
        usage=Usage(calls=1, input_tokens=10, output_tokens=5),
    )


def intent(turn: int, tries: int = 1) -> TurnIntent:
    return TurnIntent(turn=turn, tries=tries, request_hash=f"h{turn}", model="m")


def receipt(turn: int, index: int = 0, *, name: str = "bash", text: str = "ok", **fields: Any) -> ToolReceipt:
    return ToolReceipt(turn=turn, tool_use_id=f"u{turn}-{index}", name=name, text=text, **fields)


def folded(*steps: Step) -> Run:
    run = Run("first", ENDINGS)
    for step in steps:
        run.apply(step)
    return run


def used_tool(turn: int, *, text: str = "ok", **fields: Any) -> tuple[Step, ...]:
    begun = ToolIntent(turn=turn, tool_use_id=f"u{turn}-0", name="bash", input={})
    return (intent(turn), reply(turn, "bash"), begun, receipt(turn, text=text, **fields))


def test_a_fresh_run_asks_the_model_for_its_first_turn() -> None:
    run = folded()
    assert next_step(run, BOUNDS) == CallModel(1, 1)
    assert run.messages == ({"role": "user", "content": [{"type": "text", "text": "first"}]},)


def test_a_turn_without_a_reply_is_asked_again_and_counts_as_maybe_billed() -> None:
    run = folded(intent(1))
    assert next_step(run, BOUNDS) == CallModel(1, 2)
    assert run.unanswered == 1


def test_a_try_that_was_turned_down_is_asked_again_without_counting_as_billed() -> None:
    turned_down = TurnFailed(turn=1, tries=1, may_be_billed=False, reason="529")
    cut = TurnFailed(turn=1, tries=2, may_be_billed=True, reason="cut")
    run = folded(intent(1), turned_down)
    assert next_step(run, BOUNDS) == CallModel(1, 2)
    assert run.unanswered == 0
    run = folded(intent(1), turned_down, intent(1, 2), cut, intent(1, 3), reply(1, "bash", tries=3))
    assert run.unanswered == 1
    assert (run.turn, run.tries) == (1, 0)


def test_content_goes_back_to_the_model_as_it_came() -> None:
    thinking = {"type": "thinking", "thinking": "…", "signature": "sig", "unknown_field": 1}
    step = TurnReply(
        turn=1, tries=1, request_hash="", model="m", provider="p", stop_reason="tool_use",
        content=(thinking, {"type": "tool_use", "id": "a", "name": "bash", "input": {"command": "ls"}}),
    )  # fmt: skip
    run = folded(intent(1), step)
    assert run.messages[1] == {"role": "assistant", "content": list(step.content)}


def test_what_a_server_would_not_take_back_is_not_sent() -> None:
    kept = {"type": "tool_use", "id": "a", "name": "bash", "input": {"command": "ls"}}
    empty = ({"type": "text", "text": ""}, {"type": "text", "text": " \n"}, {"type": "text", "text": None})
    others: tuple[dict[str, Any], ...] = (
        {"type": "thinking", "thinking": "hm"},
        {"type": "redacted_thinking"},
        {"type": "odd"},
        {},
    )
    step = msgspec.structs.replace(reply(1), stop_reason="tool_use", content=(*empty, *others, kept))
    run = folded(intent(1), step)
    assert run.messages[1] == {"role": "assistant", "content": [kept]}


def test_a_reply_of_nothing_but_empty_blocks_is_repaired_like_no_reply() -> None:
    run = folded(intent(1), msgspec.structs.replace(reply(1), content=({"type": "text", "text": ""},)))
    assert next_step(run, BOUNDS) == Say(REPAIR)
    assert len(run.messages) == 1


def test_faults_of_one_kind_are_counted_while_they_come_in_a_row() -> None:
    def failed(tries: int, fault: str) -> TurnFailed:
        return TurnFailed(turn=1, tries=tries, may_be_billed=True, reason="", fault=fault)

    run = folded(intent(1), failed(1, "hung"), intent(1, 2), failed(2, "hung"))
    assert run.same_faults == 2
    run.apply(failed(3, "transient"))
    assert run.same_faults == 1
    for step in (failed(4, "transient"), reply(1, "bash", tries=5)):
        run.apply(step)
    assert run.same_faults == 0


def test_every_id_that_was_used_is_known_to_the_run() -> None:
    run = folded(*used_tool(1), intent(2), reply(2, "bash", stop="max_tokens"))
    assert run.used_ids == {"u1-0", "u2-0"}


def test_results_of_a_turn_come_before_a_note() -> None:
    run = folded(
        intent(1), reply(1, "bash", "grep"), receipt(1, 0), Nudge(text="a note", note_seq=9), receipt(1, 1)
    )
    last = run.messages[-1]["content"]
    assert [block["type"] for block in last] == ["tool_result", "tool_result", "text"]
    assert run.notes == {9}


def test_a_tool_that_was_begun_and_not_finished_is_told_as_interrupted() -> None:
    begun = ToolIntent(turn=1, tool_use_id="u1-0", name="bash", input={})
    run = folded(intent(1), reply(1, "bash"), begun)
    assert next_step(run, BOUNDS) == TellInterrupted(begun)
    run.apply(receipt(1, text=INTERRUPTED, is_error=True))
    assert next_step(run, BOUNDS) == CallModel(2, 1)


def test_tool_calls_of_a_reply_that_was_cut_off_are_not_run() -> None:
    run = folded(intent(1), reply(1, "bash", stop="max_tokens"))
    assert next_step(run, BOUNDS) == CallModel(2, 1)
    blocks = run.messages[-1]["content"]
    assert blocks[0]["is_error"]
    assert blocks[0]["tool_use_id"] == "u1-0"
    assert blocks[1]["text"] == CUT_OFF


def test_a_refusal_fails_the_run_as_the_models_doing() -> None:
    run = folded(intent(1), reply(1, stop="refusal", text=""))
    move = next_step(run, BOUNDS)
    assert isinstance(move, Fail)
    assert move.failure_class == "model"


def test_an_unknown_stop_reason_stops_and_runs_nothing() -> None:
    move = next_step(folded(intent(1), reply(1, "bash", stop="solar_flare")), BOUNDS)
    assert isinstance(move, Fail)
    assert "solar_flare" in move.reason


def test_an_end_without_a_report_is_repaired_once_and_then_fails() -> None:
    run = folded(intent(1), reply(1))
    assert next_step(run, BOUNDS) == Say(REPAIR)
    for step in (Nudge(text=REPAIR), intent(2), reply(2)):
        run.apply(step)
    move = next_step(run, BOUNDS)
    assert isinstance(move, Fail)
    assert move.failure_class == "invalid"


def test_the_same_call_with_the_same_result_is_warned_about_once_then_a_person_is_asked() -> None:
    steps = [step for turn in range(1, 5) for step in used_tool(turn, text=f"0 found in 0.{turn} s")]
    run = folded(*steps)
    assert next_step(run, BOUNDS) == Say(UNSTICK)
    run.apply(Nudge(text=UNSTICK))
    assert next_step(run, BOUNDS) == CallModel(5, 1)
    for step in used_tool(5, text="0 found in 0.9 s"):
        run.apply(step)
    assert isinstance(next_step(run, BOUNDS), GetHelp)


def test_a_loop_that_changes_the_workspace_is_no_loop() -> None:
    steps = [s for turn in range(1, 9) for s in used_tool(turn, commit=f"{turn:040d}", bundle_ref="b")]
    assert next_step(folded(*steps), BOUNDS) == CallModel(9, 1)


def test_failing_tools_in_a_row_end_the_run() -> None:
    steps = [s for turn in range(1, 6) for s in used_tool(turn, text=f"no {turn}", is_error=True)]
    move = next_step(folded(*steps), BOUNDS)
    assert isinstance(move, Fail)
    assert move.failure_class == "tool"


def test_turns_and_tokens_are_bounded() -> None:
    few = Bounds(repairs=REPAIRS, max_turns=2, max_errors=9, max_total_tokens=10_000)
    run = folded(*used_tool(1, text="a"), *used_tool(2, text="b"))
    move = next_step(run, few)
    assert isinstance(move, Fail)
    assert move.failure_class == "limit"
    little = Bounds(repairs=REPAIRS, max_turns=9, max_errors=9, max_total_tokens=30)
    assert isinstance(next_step(run, little), Fail)


def test_a_refused_report_may_be_repaired_three_times_and_a_plan_twice() -> None:
    def refused(name: str, times: int) -> Run:
        return folded(
            *(
                step
                for turn in range(1, times + 1)
                for step in (intent(turn), reply(turn, name), receipt(turn, name=name, text="bad", is_error=True))
            )
        )

    assert isinstance(next_step(refused("report_result", 3), BOUNDS), CallModel)
    assert isinstance(next_step(refused("report_result", 4), BOUNDS), Fail)
    assert isinstance(next_step(refused("submit_plan", 2), BOUNDS), CallModel)
    assert isinstance(next_step(refused("submit_plan", 3), BOUNDS), Fail)


def test_a_tool_call_id_that_is_missing_or_comes_twice_becomes_our_own() -> None:
    calls: list[dict[str, Any]] = [
        {"type": "tool_use", "id": id_, "name": "bash", "input": {}} for id_ in ("a", "", "b", "b", "c")
    ]
    said = [{"type": "text", "text": "hm"}, *calls]
    ids = [block.get("id") for block in with_own_ids(said, {"a"}, "1_2")]
    assert ids == [None, "toolu_1_2_1", "toolu_1_2_2", "b", "toolu_1_2_4", "c"]
    assert with_own_ids([*calls[2:3], *calls[4:]], {"a"}, "1_2") == [*calls[2:3], *calls[4:]]


def test_an_answer_becomes_the_result_of_the_question() -> None:
    run = folded(intent(1), reply(1, "ask_human", question="Up or even?"))
    run.resume_in(answered=Answered(tool_use_id="u1-0", question="Up or even?", answer="even"), changed=())
    block = run.messages[-1]["content"][0]
    assert (block["tool_use_id"], block["content"], "is_error" in block) == ("u1-0", "even", False)
    assert next_step(run, BOUNDS) == CallModel(1, 1)


def test_an_answer_to_a_question_that_no_call_asked_is_said_in_words() -> None:
    run = folded(*used_tool(1))
    answered = Answered(tool_use_id="", question="Failed after 3 retries", answer="Try the other way")
    run.resume_in(answered=answered, changed=("title edited by ann",))
    words = " ".join(block.get("text", "") for block in run.messages[-1]["content"])
    assert "Try the other way" in words
    assert "title edited by ann" in words


def test_a_resumed_attempt_keeps_the_conversation_and_counts_its_own_turns() -> None:
    run = folded(*used_tool(1, commit="c" * 40, bundle_ref="b"), intent(2))
    run.resume_in(answered=None, changed=())
    assert (run.turn, run.intents, run.unanswered, run.commit) == (0, 0, 0, "c" * 40)
    assert len(run.messages) == 3


def test_nobody_adds_to_a_closed_run() -> None:
    assert next_step(folded(Closed(reason="timed out")), BOUNDS) == Abandon("timed out")


# A whole run of a model that uses tools, is interrupted, and goes on: every prefix must resume at the same place.
@st.composite
def recorded_runs(draw: st.DrawFn) -> list[Step]:
    steps: list[Step] = []
    for turn in range(1, draw(st.integers(1, 6)) + 1):
        lost = draw(st.integers(0, 2))
        steps += [intent(turn, tries) for tries in range(1, lost + 2)]
        names = draw(st.lists(st.sampled_from(["bash", "grep", "git_diff"]), min_size=0, max_size=3))
        steps.append(reply(turn, *names, tries=lost + 1, stop=draw(st.sampled_from(["", "max_tokens"]))))
        if steps[-1].stop_reason == "tool_use":  # type: ignore[union-attr]
            for i, name in enumerate(names):
                steps.append(ToolIntent(turn=turn, tool_use_id=f"u{turn}-{i}", name=name, input={}))
                if draw(st.booleans()):
                    steps.append(Resumed(instance="x", worker="w", delivery=turn))
                steps.append(receipt(turn, i, name=name, text=draw(st.sampled_from(["a", "b"]))))
        elif not names:
            steps.append(Nudge(text=f"note {turn}", note_seq=turn))
    return steps


@given(recorded_runs(), st.data())
def test_any_prefix_of_a_run_resumes_at_the_same_next_step(steps: list[Step], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(steps)))
    whole, resumed = folded(*steps[:cut]), folded(*steps[:cut])
    resumed.apply(Resumed(instance="other", worker="w2", delivery=2))
    assert next_step(resumed, BOUNDS) == next_step(whole, BOUNDS)
    assert resumed.messages == whole.messages
    for step in steps[cut:]:
        whole.apply(step)
        resumed.apply(step)
    assert resumed.messages == whole.messages


@given(recorded_runs())
def test_no_recorded_turn_is_asked_again_and_no_finished_call_is_run_again(steps: list[Step]) -> None:
    run = Run("first", ENDINGS)
    answered: set[int] = set()
    finished: set[str] = set()
    for step in steps:
        run.apply(step)
        if isinstance(step, TurnReply):
            answered.add(step.turn)
        if isinstance(step, ToolReceipt):
            finished.add(step.tool_use_id)
        move = next_step(run, BOUNDS)
        if isinstance(move, CallModel):
            assert move.turn not in answered
        if isinstance(move, RunTool):
            assert move.call.tool_use_id not in finished


@given(recorded_runs())
def test_every_tool_call_in_the_messages_has_exactly_one_result_before_the_model_is_asked(
    steps: list[Step],
) -> None:
    run = Run("first", ENDINGS)
    for step in steps:
        run.apply(step)
        if not isinstance(next_step(run, BOUNDS), CallModel):
            continue
        blocks = [block for message in run.messages for block in message["content"]]
        asked = [block["id"] for block in blocks if block["type"] == "tool_use"]
        told = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        assert sorted(asked) == sorted(told)
