"""Approving or editing a plan before it begins."""

from __future__ import annotations

from collections.abc import Sequence

from agenthub_events.catalogue.values import PlannedTask, PlanTask
from agenthub_events.errors import CommandRefused
from agenthub_events.rules.goal_commands import ApprovePlan, EditPlan
from agenthub_events.rules.plan import MANUAL_LIMITS, validate_plan
from agenthub_gateway.commands.append import CommandOutcome, Intent, Writer
from agenthub_gateway.commands.goal import command_goal
from agenthub_gateway.commands.goal_events import GoalEvents, load_goal_events
from agenthub_gateway.errors import PlanChanged


async def approve_plan(writer: Writer, goal_id: str, revision: int, intent: Intent) -> CommandOutcome:
    """Let the plan begin. Raises `PlanChanged`, and everything that `command_goal` raises."""
    command = ApprovePlan(by=intent.actor, request_id=intent.request_id, revision=revision)
    return await _on_what_was_seen(writer, goal_id, command, intent)


async def edit_plan(
    writer: Writer, goal_id: str, revision: int, tasks: Sequence[PlanTask], intent: Intent
) -> CommandOutcome:
    """Put another task list in the place of the plan that waits for approval.

    Raises `InvalidPlan`, `PlanChanged`, and everything that `command_goal` raises.
    """
    family = await load_goal_events(writer.log, goal_id)
    wanted = _validated(family, tasks)
    before = family.tasks()
    command = EditPlan(
        by=intent.actor,
        request_id=intent.request_id,
        revision=revision,
        tasks=tuple(task for task in wanted if before.get(task.task_id) != task),
        dropped=tuple(task_id for task_id in before if task_id not in {task.task_id for task in wanted}),
    )
    return await _on_what_was_seen(writer, goal_id, command, intent)


async def _on_what_was_seen(
    writer: Writer, goal_id: str, command: ApprovePlan | EditPlan, intent: Intent
) -> CommandOutcome:
    try:
        return await command_goal(writer, goal_id, command, intent)
    except CommandRefused as refused:
        if refused.code != "changed-since":
            raise
        now = await load_goal_events(writer.log, goal_id)
        raise PlanChanged(str(refused), now.aggregate.revision, list(now.tasks().values())) from None


def _validated(family: GoalEvents, tasks: Sequence[PlanTask]) -> tuple[PlannedTask, ...]:
    accepted = family.aggregate.accepted
    count = len(accepted.requirements) if accepted else 0
    return validate_plan(tasks, limits=MANUAL_LIMITS, requirement_count=count, origin="human")
