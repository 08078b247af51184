"""Goals on which the scripted model misbehaves, each in its own way; all run at the same time on one hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.faults import Fault
from agenthub_worker.rehearsal.scripted import Reply
from agenthub_worker.rehearsal.turns import Performance, Script, Turn, call, play
from tests.support.running_hub import RunningHub
from tests.support.scripted_model import DONE, ScriptedModel

FLOOD_BYTES = 50_000_000

_GOOD = "def test_good():\n    assert 1 + 1 == 2\n"
_BAD = "def test_bad():\n    assert 1 + 1 == 3\n"
_SKIPPED = f"import pytest\n\n\n@pytest.mark.skip\n{_BAD}"


def _create(path: str, text: str) -> Turn:
    return call("str_replace_based_edit_tool", command="create", path=path, file_text=text)


def _steady(*turns: Turn) -> list[Reply]:
    """These turns, each said again until it has an answer."""

    def script(_: Conversation) -> Performance:
        for turn in turns:  # noqa: UP028  # `yield from` a tuple cannot take what is sent
            yield turn

    played: Script = script
    return [lambda conversation: play(played, conversation)]


def _plan(*tasks: Mapping[str, Any]) -> Turn:
    return call("submit_plan", analysis={"summary": "as asked"}, tasks=list(tasks))


def _without_end(conversation: Conversation) -> Turn:
    return call("bash", command=f"sleep 0.1; echo {conversation.assistant_messages}")


_EMPTY = _plan()
_WRONG = _plan(
    {"key": "a", "title": "Do a", "agent": "wizard"},
    {"key": "a", "title": "Do it again", "agent": "coding"},
)
_RIGHT = _plan({"key": "mend", "title": "Do it", "agent": "coding"})

# What a task of the goal below meets on its way, by the task's key; each fault strikes a limited number of times.
FAULTS: Mapping[str, Fault] = {
    "limited": Fault(kind="rate_limit", retry_after_s=1, times=2),
    "broken": Fault(kind="server_error", times=3),
    "cut": Fault(kind="cut", turn=1, times=2),
    "ended-early": Fault(kind="early_end", turn=1, times=2),
    "stream-error": Fault(kind="stream_error", turn=1, times=2),
    "cut-off": Fault(kind="max_tokens", turn=0),
    "unknown-tool": Fault(kind="unknown_tool", turn=0),
    "bad-input": Fault(kind="malformed_input", turn=0),
    "refused": Fault(kind="refusal", turn=0),
}
# Enough to use up every try of an attempt, those of the SDK included, and not one of the next.
STORM = Fault(kind="overloaded", task="t-in-the-storm", times=8)

# After the first step, so that there is something to go on with; longer than a task's own limit.
HANG = Fault(kind="hang", task="t-waiting", turn=1)
HANG_LIMIT_S = 40

UNLUCKY = "Everything goes wrong once"
STORMY = "Work through an overload"
PLANNED_LATE = "Need three proposals for a plan"
NEVER_PLANNED = "Never find a plan"
LIAR = "Claim that the tests pass"
CHEAT = "Make the tests go away"
CIRCLE = "Go round in circles"
ENDLESS = "Work until somebody says stop"
HUNG = "Wait for a model that says nothing"

_TESTED = _steady(_create("test_good.py", _GOOD), DONE)

SCRIPTS: Mapping[str, Mapping[str, Sequence[Reply]]] = {
    UNLUCKY: {
        **{f"t-{key}": _steady(_create(f"{key}.txt", "written\n"), DONE) for key in FAULTS},
        "t-flooded": _steady(call("bash", command=f"head -c {FLOOD_BYTES} /dev/zero | tr '\\0' x"), DONE),
        "t-tested": _TESTED,
    },
    STORMY: {"t-in-the-storm": _TESTED},
    HUNG: {"t-waiting": _TESTED},
    PLANNED_LATE: {"plan": [_EMPTY, _WRONG, _RIGHT], "t-mend": _TESTED},
    NEVER_PLANNED: {"plan": [_WRONG]},
    LIAR: {
        "t-lie": _steady(
            _create("test_bad.py", _BAD),
            call("report_result", status="done", summary="All tests pass", tests_run="1 passed"),
        ),
        "debug": [DONE],
        "fix": [call("report_result", status="done", summary="Mended: all tests pass", tests_run="1 passed")],
    },
    CHEAT: {
        "t-cheat": _steady(_create("test_good.py", _GOOD), _create("test_bad.py", _BAD), DONE),
        "debug": [DONE],
        "fix-tests-1-1": _steady(call("bash", command="rm test_bad.py"), DONE),
        "fix-tests-2-1": _steady(_create("test_bad.py", _SKIPPED), DONE),
    },
    CIRCLE: {"t-circle": [call("glob", pattern="*.py")]},
    ENDLESS: {"t-endless": [_without_end], "t-endless-too": [_without_end]},
}

_KEYS: Mapping[str, Sequence[str]] = {
    UNLUCKY: (*FAULTS, "flooded", "tested"),
    STORMY: ("in-the-storm",),
    HUNG: ("waiting",),
    LIAR: ("lie",),
    CHEAT: ("cheat",),
    CIRCLE: ("circle",),
    ENDLESS: ("endless", "endless-too"),
}


class MisbehavingModel:
    """A hub whose model misbehaves, and the ids of its goals by their words."""

    def __init__(self, hub: RunningHub, model: ScriptedModel, goals: dict[str, str]) -> None:
        self.hub = hub
        self.model = model
        self.goals = goals


def submission(goal: str) -> dict[str, Any]:
    """The body of a goal: with a workflow of its own, or for the planner."""
    if goal not in _KEYS:
        return {"goal": goal}
    limit = {"timeout_s": HANG_LIMIT_S} if goal == HUNG else {}
    tasks = [{"key": key, "title": f"Do what is called {key}", "agent": "coding", **limit} for key in _KEYS[goal]]
    return {"goal": goal, "workflow": tasks}


def faults() -> list[Fault]:
    """All of them, each for its task."""
    return [STORM, HANG, *(_for_task(fault, f"t-{key}") for key, fault in FAULTS.items())]


def _for_task(fault: Fault, task_id: str) -> Fault:
    return Fault(
        kind=fault.kind, task=task_id, turn=fault.turn, times=fault.times, retry_after_s=fault.retry_after_s
    )
