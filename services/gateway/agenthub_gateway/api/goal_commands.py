"""What a person tells a goal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Response
from litestar.params import FromPath, JSONBody

from agenthub_events.errors import InvalidInput
from agenthub_events.rules.blank import is_blank
from agenthub_events.rules.goal_commands import (
    Approve,
    Cancel,
    Erase,
    GoalCommand,
    Pause,
    RaiseBudget,
    Reprioritize,
    RequestTests,
    Resume,
    Rework,
)
from agenthub_gateway.api.access import no_goal
from agenthub_gateway.api.command import Caller, CallerParam, accepted, command
from agenthub_gateway.api.payloads.requests import (
    ApproveBody,
    BudgetBody,
    EmptyBody,
    EraseBody,
    NoteBody,
    PlanBody,
    PriorityBody,
    ReasonBody,
    ReworkBody,
)
from agenthub_gateway.api.payloads.responses import CommandAccepted, ReworkAccepted
from agenthub_gateway.api.payloads.submission import plan_tasks
from agenthub_gateway.api.reading import snapshot
from agenthub_gateway.commands.aggregate import Target
from agenthub_gateway.commands.goal import command_goal
from agenthub_gateway.commands.plan import approve_plan, edit_plan
from agenthub_gateway.commands.tasks import note_task
from agenthub_runtime.readmodels import get_goal

OptionalApprove = JSONBody[ApproveBody | None]
OptionalReason = JSONBody[ReasonBody | None]
Nothing = JSONBody[EmptyBody | None]

_TAG = "Commands"


@command("/api/v1/goals/{goal_id:str}/rework", ReworkBody, "Ask for changes", tag=_TAG)
async def rework(
    goal_id: FromPath[str], *, data: JSONBody[ReworkBody], caller: CallerParam
) -> Response[ReworkAccepted]:
    """Opens the goal again, on the same branch; also while it still runs."""
    if is_blank(data.feedback):
        raise InvalidInput("Say what is to be changed: the feedback is blank", field="feedback")
    intent = caller.intent(data)
    wanted = Rework(by=intent.actor, request_id=intent.request_id, feedback=data.feedback, priority=data.priority)
    outcome = await command_goal(caller.ports.writer, goal_id, wanted, intent)
    body = ReworkAccepted(
        goal_id=goal_id,
        rework_id=intent.request_id,
        event_id=outcome.event_id or None,
        sequence=outcome.sequence,
    )
    return accepted(outcome, body)


@command("/api/v1/goals/{goal_id:str}/approve", ApproveBody, "Accept the result", tag=_TAG, optional=True)
async def approve(
    goal_id: FromPath[str], *, caller: CallerParam, data: OptionalApprove = None
) -> Response[CommandAccepted]:
    """Holds for the result that you saw: a goal that has changed since is refused."""
    body = data or ApproveBody()
    seen = body.ready_seq or await _shown_ready_seq(caller, goal_id)
    return await _carry_out(caller, goal_id, body, Approve, ready_seq=seen)


@command("/api/v1/goals/{goal_id:str}/cancel", ReasonBody, "Stop a goal for good", tag=_TAG, optional=True)
async def cancel(
    goal_id: FromPath[str], *, caller: CallerParam, data: OptionalReason = None
) -> Response[CommandAccepted]:
    """Work under way is stopped; what has been merged stays."""
    body = data or ReasonBody()
    return await _carry_out(caller, goal_id, body, Cancel, reason=body.reason)


@command("/api/v1/goals/{goal_id:str}/erase", EraseBody, "Erase what a finished goal keeps", tag=_TAG)
async def erase(
    goal_id: FromPath[str], *, data: JSONBody[EraseBody], caller: CallerParam
) -> Response[CommandAccepted]:
    """Runs, logs, reports, code and what was set aside as secret go for good; the events stay, with their masks.

    Sent again it finishes what was interrupted.
    """
    if data.confirm != goal_id:
        raise InvalidInput("Repeat the goal's id here: what is erased does not come back", field="confirm")
    answer = await _carry_out(caller, goal_id, data, Erase, reason=data.reason)
    await caller.ports.erase(goal_id)
    return answer


@command("/api/v1/goals/{goal_id:str}/pause", ReasonBody, "Start nothing new", tag=_TAG, optional=True)
async def pause(
    goal_id: FromPath[str], *, caller: CallerParam, data: OptionalReason = None
) -> Response[CommandAccepted]:
    """Running work is put aside, with its progress kept."""
    body = data or ReasonBody()
    return await _carry_out(caller, goal_id, body, Pause, reason=body.reason)


@command("/api/v1/goals/{goal_id:str}/resume", EmptyBody, "Go on", tag=_TAG, optional=True)
async def resume(
    goal_id: FromPath[str], *, caller: CallerParam, data: Nothing = None
) -> Response[CommandAccepted]:
    """Ends a pause."""
    return await _carry_out(caller, goal_id, data or EmptyBody(), Resume)


@command("/api/v1/goals/{goal_id:str}/tests", EmptyBody, "Run the tests now", tag=_TAG, optional=True)
async def retest(
    goal_id: FromPath[str], *, caller: CallerParam, data: Nothing = None
) -> Response[CommandAccepted]:
    """On the head of the goal's branch."""
    return await _carry_out(caller, goal_id, data or EmptyBody(), RequestTests)


@command("/api/v1/goals/{goal_id:str}/budget", BudgetBody, "Raise the goal's limits", tag=_TAG)
async def budget(
    goal_id: FromPath[str], *, data: JSONBody[BudgetBody], caller: CallerParam
) -> Response[CommandAccepted]:
    """A limit can only be raised."""
    if data == BudgetBody():
        raise InvalidInput("Give max_cost_usd, max_llm_calls, or both", field="max_llm_calls")
    limits = {"max_cost_usd": data.max_cost_usd, "max_llm_calls": data.max_llm_calls}
    return await _carry_out(caller, goal_id, data, RaiseBudget, **limits)


@command("/api/v1/goals/{goal_id:str}/priority", PriorityBody, "Move the goal in the queues", tag=_TAG)
async def priority(
    goal_id: FromPath[str], *, data: JSONBody[PriorityBody], caller: CallerParam
) -> Response[CommandAccepted]:
    """Counts for the goal's next tasks."""
    return await _carry_out(caller, goal_id, data, Reprioritize, priority=data.priority)


@command("/api/v1/goals/{goal_id:str}/plan", PlanBody, "Approve or edit a plan that waits for approval", tag=_TAG)
async def plan(
    goal_id: FromPath[str], *, data: JSONBody[PlanBody], caller: CallerParam
) -> Response[CommandAccepted]:
    """Holds for the revision that you saw; a plan that has changed since comes back with the refusal."""
    intent = caller.intent(data)
    if data.action == "approve":
        return accepted(await approve_plan(caller.ports.writer, goal_id, data.revision, intent))
    if data.tasks is None:
        raise InvalidInput("An edit needs the whole list of tasks", field="tasks")
    outcome = await edit_plan(caller.ports.writer, goal_id, data.revision, plan_tasks(data.tasks), intent)
    return accepted(outcome)


@command(
    "/api/v1/goals/{goal_id:str}/tasks/{task_id:str}/note",
    NoteBody,
    "Say something to the agent at work",
    tag=_TAG,
)
async def note(
    goal_id: FromPath[str], task_id: FromPath[str], *, data: JSONBody[NoteBody], caller: CallerParam
) -> Response[CommandAccepted]:
    """It reads the note before its next step."""
    if is_blank(data.text):
        raise InvalidInput("Say what the agent should know: the note is blank", field="text")
    intent = caller.intent(data)
    outcome = await note_task(caller.ports.writer, Target(goal_id, task_id), data.text, intent)
    return accepted(outcome)


async def _carry_out(
    caller: Caller, goal_id: str, body: msgspec.Struct, kind: Callable[..., GoalCommand], **fields: object
) -> Response[CommandAccepted]:
    intent = caller.intent(body)
    wanted = kind(by=intent.actor, request_id=intent.request_id, **fields)
    return accepted(await command_goal(caller.ports.writer, goal_id, wanted, intent))


async def _shown_ready_seq(caller: Caller, goal_id: str) -> int:
    async with snapshot(caller.ports, None) as (connection, _):
        row = await get_goal(connection, goal_id)
    if row is None:
        raise no_goal(goal_id)
    return row.ready_seq


HANDLERS: list[Any] = [
    rework, approve, cancel, erase, pause, resume, retest, budget, priority, plan, note,
]  # fmt: skip
