"""What a person's answer means when a repository could not be set up."""

from __future__ import annotations

import pytest

from agenthub_orchestrator.domain.orders.work_context import context_of
from tests.support.spec import Scenario, a_goal, step

OPTIONS = ("Try again", "Give the goal up")


def stuck(setup: tuple[str, ...] = ()) -> Scenario:
    """A goal whose repository cannot be set up."""
    goal = a_goal(step("a"), repository="/srv/service", setup=setup)
    return goal.asks("prepare", "The repository cannot be set up.", reason="setup", options=OPTIONS)


def setup_told(goal: Scenario, task_id: str) -> tuple[str, ...]:
    return context_of(goal.truth, task_id, title="", details="", answered=None).setup


def test_commands_in_an_answer_are_the_setup_of_the_goal_from_then_on() -> None:
    goal = stuck(setup=("make deps",))
    assert setup_told(goal, "prepare") == ("make deps",)
    goal.answered(goal.question(), text="pip install -r deps.txt\n\n  make stubs \n")
    assert goal.open() == ["prepare"]
    assert setup_told(goal, "prepare") == ("pip install -r deps.txt", "make stubs")
    goal.done("prepare", changes=True)
    assert setup_told(goal, "t-a") == ("pip install -r deps.txt", "make stubs")


def test_the_newest_commands_count() -> None:
    goal = stuck()
    goal.answered(goal.question(), text="make wrong")
    goal.asks("prepare", "The repository cannot be set up.", reason="setup", options=OPTIONS)
    goal.answered(goal.question(), text="make right")
    assert setup_told(goal, "prepare") == ("make right",)


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "Try again"},
        {"option": "Try again"},
        {"action": "retry"},
        {"action": "retry", "text": "the index is up again"},
        {"text": "  \n "},
    ],
)
def test_trying_again_leaves_the_setup_as_it_was(answer: dict[str, str]) -> None:
    goal = stuck(setup=("make deps",))
    goal.answered(goal.question(), **answer)  # type: ignore[arg-type]
    assert goal.open() == ["prepare"]
    assert setup_told(goal, "prepare") == ("make deps",)


def test_giving_up_ends_it() -> None:
    goal = stuck()
    goal.answered(goal.question(), option="Give the goal up")
    assert goal.open() == []
    assert goal.truth.tasks["prepare"].word == "cancelled"


def test_an_answer_to_any_other_question_is_no_setup() -> None:
    goal = a_goal(step("a")).asks("t-a", "Which command?")
    goal.answered(goal.question(), text="make deps")
    assert setup_told(goal, "t-a") == ()
    assert goal.open() == ["t-a"]
