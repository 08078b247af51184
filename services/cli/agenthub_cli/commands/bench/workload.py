"""Workflows for measuring: their tasks do nothing, so that only the hub's own work is left."""

from __future__ import annotations

from typing import Any

from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.turns import Turn, call

# The shape of a usual goal: two roots, parallel middle, fan-in, a tail.
_USUAL = (
    ("analyze", ()),
    ("design", ()),
    ("core", ("analyze", "design")),
    ("storage", ("design",)),
    ("api", ("core",)),
    ("auth", ("core",)),
    ("errors", ("core", "storage")),
    ("tests", ("api", "auth", "errors")),
    ("docs", ("api",)),
    ("examples", ("api", "docs")),
    ("polish", ("tests",)),
    ("release", ("polish", "examples")),
)


def usual_workflow() -> list[dict[str, Any]]:
    """Twelve tasks with fan-out and fan-in."""
    return [_task(key, depends_on) for key, depends_on in _USUAL]


def chain(length: int) -> list[dict[str, Any]]:
    """`length` tasks, one behind the other."""
    return [_task(f"link-{n}", (f"link-{n - 1}",) if n else ()) for n in range(length)]


def working_chain(length: int) -> list[dict[str, Any]]:
    """The same of tasks in which an agent writes a file, runs a command and reports."""
    return [{**task, "agent": "coding", "title": f"Write {task['key']}"} for task in chain(length)]


class Working:
    """What the model says in every task of `working_chain`: an edit, a command, the report; nothing in between."""

    def step(self, conversation: Conversation) -> Turn:
        """The next turn of a task."""
        name = conversation.task_id.removeprefix("t-").replace("-", "_")
        text = f"def {name}() -> int:\n    return 1\n"
        turns = (
            call("str_replace_based_edit_tool", command="create", path=f"work/{name}.py", file_text=text),
            call("bash", command=f"cat work/{name}.py && git status --short"),
            call("report_result", status="done", summary=f"Wrote work/{name}.py"),
        )
        return turns[min(conversation.assistant_messages, len(turns) - 1)]


def submission(workflow: list[dict[str, Any]], number: int) -> dict[str, Any]:
    """The body of a goal that runs this workflow."""
    return {"goal": f"Measure the hub, goal {number}", "workflow": workflow}


def _task(key: str, depends_on: tuple[str, ...]) -> dict[str, Any]:
    return {"key": key, "title": f"Do nothing: {key}", "agent": "noop", "depends_on": list(depends_on)}
