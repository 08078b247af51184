"""What does not fit what others did meanwhile: it is merged neutrally, and a person is asked in the end."""

from __future__ import annotations

from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.task import MergeConflicted, TaskCancelled, TaskCompleted, TaskSkipped
from agenthub_events.catalogue.values import TaskResult
from agenthub_events.rules import answer_options
from agenthub_events.task_ids import merge_task_id
from agenthub_orchestrator.domain.decision import Decision
from agenthub_orchestrator.domain.rules.repairs import replan, rule_task
from agenthub_orchestrator.domain.state.task import TaskState


def after_conflict(decision: Decision, task: TaskState, conflict: MergeConflicted) -> None:
    """The first conflict of a task becomes a merge task; a second one, or a merge task's own, goes to a person."""
    if conflict.target:
        _bring_in(decision, task, conflict)
        return
    if task.kind == "merge" or task.conflicts > 1:
        _block(decision, task, conflict)
        return
    merge = decision.state.tasks.get(merge_task_id(task.task_id, task.conflicts))
    if merge is None:
        _add_merge(decision, task, conflict)
    elif merge.ended:
        _follow(decision, task, merge)


def _bring_in(decision: Decision, task: TaskState, conflict: MergeConflicted) -> None:
    """The target of a delivery has become something that conflicts with the result: an agent unites them.

    What follows is judged like any other change, and seen by a person, before it is delivered.
    """
    merge = decision.state.tasks.get(merge_task_id(task.task_id, task.conflicts))
    if merge is None:
        _add_merge(decision, task, conflict)
    elif merge.word == "cancelled":
        reason = f"{merge.task_id} was cancelled"
        event = TaskCancelled(task_id=task.task_id, reason=reason, causes=(merge.task_id, *merge.causes))
        decision.write(task.task_id, event, "1")


def _add_merge(decision: Decision, task: TaskState, conflict: MergeConflicted) -> None:
    files = ", ".join(conflict.files)
    title, details = _words(task, conflict, files)
    added = rule_task(merge_task_id(task.task_id, task.conflicts), title, "coding", details)
    replan(decision, (added,), cause=f"{task.task_id}:{conflict.attempt}", reason=f"conflict in {files}")


def _words(task: TaskState, conflict: MergeConflicted, files: str) -> tuple[str, str]:
    both = "Unite both so that the intent of each side holds."
    if conflict.target:
        said = f"`{conflict.target}` has become something that conflicts with the result of this goal, in {files}."
        return f"Merge {conflict.target} into the result", f"{said} {both}"
    title = task.planned.title if task.planned else task.task_id
    said = f"The changes of “{title}” conflict with what was merged meanwhile, in {files}."
    return f"Merge “{title}” with the newest state", f"{said} {both}"


def _follow(decision: Decision, task: TaskState, merge: TaskState) -> None:
    """The task ends as its merge ended."""
    if merge.word == "done":
        result = merge.result or TaskResult(summary=merge.summary)
        decision.write(
            task.task_id,
            TaskCompleted(
                task_id=task.task_id,
                agent=task.order.agent if task.order else "",
                attempt=task.attempt,
                result=TaskResult(
                    summary=task.summary or result.summary, files=result.files, commit=result.commit
                ),
                merged_by=merge.task_id,
            ),
            str(task.attempt),
        )
    elif merge.word == "skipped":
        reason = f"its changes were left out with {merge.task_id}"
        decision.write(task.task_id, TaskSkipped(task_id=task.task_id, by=merge.ended_by, reason=reason), "1")
    else:
        event = TaskCancelled(
            task_id=task.task_id,
            reason=f"{merge.task_id} was cancelled",
            causes=(merge.task_id, *merge.causes),
        )
        decision.write(task.task_id, event, "1")


def _block(decision: Decision, task: TaskState, conflict: MergeConflicted) -> None:
    event = AgentBlocked(
        question=f"The changes conflict for the second time, in {', '.join(conflict.files)}. How shall it go on?",
        task_id=task.task_id,
        options=(answer_options.TRY_AGAIN, answer_options.SKIP_IT, answer_options.CANCEL_IT),
        attempt=task.attempt,
        reason="conflict",
        retry_count=task.retry_count,
    )
    decision.write(task.task_id, event, str(task.attempt))
