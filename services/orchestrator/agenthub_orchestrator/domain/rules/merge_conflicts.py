"""Work that does not fit what others merged meanwhile: a neutral merge once, then a person."""

from __future__ import annotations

from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.task import MergeConflicted, TaskCancelled, TaskCompleted, TaskSkipped
from agenthub_events.catalogue.values import TaskResult
from agenthub_events.task_ids import merge_task_id
from agenthub_orchestrator.domain.decision import Decision
from agenthub_orchestrator.domain.rules.repairs import replan, rule_task
from agenthub_orchestrator.domain.state import answer_options
from agenthub_orchestrator.domain.state.task import TaskState


def after_conflict(decision: Decision, task: TaskState, conflict: MergeConflicted) -> None:
    """The first conflict of a task becomes a merge task; a second one, or a merge task's own, goes to a person."""
    if task.kind == "merge" or task.conflicts > 1:
        _block(decision, task, conflict)
        return
    merge = decision.state.tasks.get(merge_task_id(task.task_id, task.conflicts))
    if merge is None:
        _add_merge(decision, task, conflict)
    elif merge.ended:
        _follow(decision, task, merge)


def _add_merge(decision: Decision, task: TaskState, conflict: MergeConflicted) -> None:
    title = task.planned.title if task.planned else task.task_id
    files = ", ".join(conflict.files)
    details = (
        f"The changes of “{title}” conflict with what was merged meanwhile, in {files}."
        " Unite both so that the intent of each side holds."
    )
    merge_id = merge_task_id(task.task_id, task.conflicts)
    added = rule_task(merge_id, f"Merge “{title}” with the newest state", "coding", details)
    replan(decision, (added,), cause=f"{task.task_id}:{conflict.attempt}", reason=f"conflict in {files}")


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
