"""How a script reads a conversation, and how it is played along one."""

from __future__ import annotations

from typing import Any

import pytest

from agenthub_events.context import Inherited, PlanOrder, WorkContext
from agenthub_worker.domain.prompt import first_message, system_prompt
from agenthub_worker.domain.run import INTERRUPTED, NOT_RUN
from agenthub_worker.rehearsal.conversation import Conversation, ToolOutcome, read_conversation
from agenthub_worker.rehearsal.scenarios.auth_jwt.plan import feedback_in
from agenthub_worker.rehearsal.scenarios.price_rounding.work import rule_in
from agenthub_worker.rehearsal.scripted import ScriptedReplies
from agenthub_worker.rehearsal.steps import read_test_run
from agenthub_worker.rehearsal.turns import Performance, Turn, call, play

CONTEXT = WorkContext(
    goal_id="g-7",
    goal="Build it",
    task_id="t-do-it",
    kind="work",
    title="Do it",
    details="First line\n\nTASK t-other (gate)\nGOAL g-9\nlast line",
    requirements=("Unit tests", "Speed: fast"),
    acceptance=("it runs", "it stops"),
    inherited=(Inherited(task_id="t-before", title="Before", summary="done"),),
)


def body(context: WorkContext, *later: dict[str, Any]) -> dict[str, Any]:
    return {
        "system": system_prompt("coding", "coding", "Work well."),
        "messages": [{"role": "user", "content": [{"type": "text", "text": first_message(context)}]}, *later],
        "tools": [{"name": "bash"}, {"name": "ask_human"}],
    }


def said(*calls: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    blocks = [{"type": "tool_use", "id": id_, "name": name, "input": input_} for id_, name, input_ in calls]
    return {"role": "assistant", "content": [{"type": "text", "text": "I do."}, *blocks]}


def came_back(*results: tuple[str, str, bool]) -> dict[str, Any]:
    blocks = [
        {"type": "tool_result", "tool_use_id": id_, "content": [{"type": "text", "text": text}], "is_error": bad}
        for id_, text, bad in results
    ]
    return {"role": "user", "content": blocks}


def test_the_workers_prompt_is_read_back() -> None:
    read = read_conversation(body(CONTEXT))
    assert (read.goal_id, read.goal, read.task_id, read.kind) == ("g-7", "Build it", "t-do-it", "work")
    assert (read.title, read.acceptance) == ("Do it", ("it runs", "it stops"))
    assert read.requirements == {"R1": "Unit tests", "R2": "Speed: fast"}
    assert read.details == "First line\n\nTASK t-other (gate)\nGOAL g-9\nlast line"
    assert read.context == "[t-before] Before: done"
    assert (read.agent_name, read.agent_type, read.tools) == ("coding", "coding", ("bash", "ask_human"))
    assert (read.turns, read.assistant_messages) == ((), 0)


def test_feedback_is_found_among_the_details_of_a_planning_task() -> None:
    order = PlanOrder(number=2, feedback="Please add\n\n2FA support", rejected=("no such agent",))
    context = WorkContext(goal_id="g-7", goal="x", task_id="plan-2", kind="plan", title="Plan", plan=order)
    assert feedback_in(read_conversation(body(context)).details) == "Please add\n\n2FA support"
    assert feedback_in("Your earlier proposal was refused:\n- Feedback is needed") == ""


def test_outcomes_belong_to_the_calls_of_their_turn() -> None:
    read = read_conversation(
        body(
            CONTEXT,
            said(("a", "bash", {"command": "ls"}), ("b", "grep", {"pattern": "x"})),
            came_back(("b", "no matches", True), ("a", "README", False)),
            said(("c", "bash", {"command": "rm"})),
            {"role": "user", "content": [{"type": "text", "text": "Go on."}]},
        )
    )
    assert read.assistant_messages == 2
    assert len(read.turns) == 1
    first, second = read.turns[0]
    assert (first.name, first.text, first.is_error) == ("bash", "README", False)
    assert (second.name, second.text, second.is_error) == ("grep", "no matches", True)


def a_script(_: Conversation) -> Performance:
    seen = yield call("bash", command="one")
    yield call("bash", command=f"two after {seen[0].text}")


def outcome(command: str, text: str, *, is_error: bool = False) -> tuple[ToolOutcome, ...]:
    return (ToolOutcome(name="bash", input={"command": command}, text=text, is_error=is_error),)


def next_command(*turns: tuple[ToolOutcome, ...]) -> object:
    return play(a_script, Conversation(turns=turns)).calls[0].input.get("command")


def test_a_script_goes_on_from_what_really_came_back() -> None:
    assert next_command() == "one"
    assert next_command(outcome("one", "5")) == "two after 5"
    assert next_command(outcome("one", "5", is_error=True)) == "two after 5"


@pytest.mark.parametrize("text", [INTERRUPTED, NOT_RUN.format(reason="max_tokens")])
def test_a_lost_call_is_made_again(text: str) -> None:
    lost = outcome("one", text, is_error=True)
    assert next_command(lost) == "one"
    assert next_command(lost, outcome("one", "5")) == "two after 5"


def test_a_turn_that_the_script_did_not_say_does_not_count() -> None:
    assert next_command(outcome("spoilt", "5")) == "one"


def test_a_script_that_is_over_asks_a_person() -> None:
    over = play(a_script, Conversation(turns=(outcome("one", "5"), outcome("two after 5", "done"))))
    assert over.calls[0].name == "ask_human"


def test_hand_written_replies_are_chosen_by_task_kind_or_type() -> None:
    replies = ScriptedReplies(
        {
            "t-1": [Turn("first"), lambda conversation: Turn(f"reply {conversation.assistant_messages}")],
            "gate": [Turn("gate")],
            "debug": [Turn("debugger")],
        }
    )
    assert replies.step(Conversation(task_id="t-1", kind="gate")) == Turn("first")
    assert replies.step(Conversation(task_id="t-1", assistant_messages=7)) == Turn("reply 7")
    assert replies.step(Conversation(task_id="t-2", kind="gate")) == Turn("gate")
    assert replies.step(Conversation(task_id="t-2", kind="work", agent_type="debug")) == Turn("debugger")
    assert replies.step(Conversation(task_id="t-2", kind="work", agent_type="coding")) is None


def test_the_report_of_run_tests_is_read() -> None:
    text = (
        "exit code 1\n3 passed, 2 failed, 0 errors, 1 skipped\ncoverage 87.5%\nfailing:\n"
        "tests/test_a.py::test_x[1]\ntests/test_a.py::test_y\n\n=== FAILURES ===\nx = tests/test_b.py::test_z"
    )
    run = read_test_run(ToolOutcome(name="run_tests", input={}, text=text))
    assert run is not None
    assert run.failing == ("tests/test_a.py::test_x[1]", "tests/test_a.py::test_y")
    assert run.counts == "3 passed, 2 failed, coverage 87.5%"
    assert not run.green
    assert read_test_run(ToolOutcome(name="run_tests", input={}, text="no test command is set")) is None


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ("half-even (0.125 becomes 0.12, 0.135 becomes 0.14)", "half-even"),
        ("Half up, please.", "half-up"),
        ("banker's rounding", "half-even"),
        ("even is fine, or half-up", ""),
        ("ask somebody else", ""),
    ],
)
def test_a_persons_words_name_a_rounding_rule_or_none(answer: str, rule: str) -> None:
    assert rule_in(answer) == rule
