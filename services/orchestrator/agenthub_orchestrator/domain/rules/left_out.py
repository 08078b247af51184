"""What the tasks of a goal have made that is not part of the result, as a gate's failure may come from it."""

from __future__ import annotations

from agenthub_orchestrator.domain.state.goal import GoalState

_SHOWN = 20
_NAMED = 3


def left_out_lines(state: GoalState) -> list[str]:
    """A line for each file that a task left out and that no later task has put into the result after all."""
    found: dict[str, str] = {}
    ended = (task for task in state.tasks.values() if task.result is not None)
    for task in sorted(ended, key=lambda task: task.closed_seq):
        result = task.result
        assert result is not None
        found |= {left.path: left.reason for left in result.left_out if left.path}
        for change in result.files:
            found.pop(change.path, None)
    lines = [f"left out: {path}, {reason}" for path, reason in found.items()]
    return [*lines[:_SHOWN], f"left out: {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else lines


def left_out_sentence(state: GoalState) -> str:
    """The first of these lines as a sentence for a question, with a space before it; empty when there are none."""
    lines = [line.removeprefix("left out: ") for line in left_out_lines(state)]
    if not lines:
        return ""
    more = f"; and {len(lines) - _NAMED} more" if len(lines) > _NAMED else ""
    return f" The branch lacks what tasks have left out: {'; '.join(lines[:_NAMED])}{more}."
