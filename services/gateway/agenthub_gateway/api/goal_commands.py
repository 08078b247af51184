"""What a person tells a goal."""

from __future__ import annotations

from typing import Any

from litestar import Response, post
from litestar.params import FromPath, JSONBody

from agenthub_events.errors import InvalidInput
from agenthub_events.rules.goal_aggregate import (
    Approve,
    Cancel,
    GoalCommand,
    Pause,
    RaiseBudget,
    Reprioritize,
    RequestTests,
    Resume,
    Rework,
)
from agenthub_gateway.api.access import (
    AnyRequest,
    KeyHeader,
    PortsParam,
    accepted_headers,
    intent_of,
    no_goal,
    snapshot,
)
from agenthub_gateway.api.payloads.decoding import strict_body
from agenthub_gateway.api.payloads.requests import (
    ApproveBody,
    BudgetBody,
    EmptyBody,
    NoteBody,
    PlanBody,
    PriorityBody,
    ReasonBody,
    ReworkBody,
)
from agenthub_gateway.api.payloads.responses import CommandAccepted, ReworkAccepted
from agenthub_gateway.api.payloads.submission import plan_tasks
from agenthub_gateway.commands.aggregate import Target
from agenthub_gateway.commands.append import CommandOutcome, Intent
from agenthub_gateway.commands.goal import command_goal
from agenthub_gateway.commands.plan import approve_plan, edit_plan
from agenthub_gateway.commands.tasks import note_task
from agenthub_gateway.ports import GatewayPorts
from agenthub_runtime.readmodels import get_goal

OptionalApprove = JSONBody[ApproveBody | None]
OptionalReason = JSONBody[ReasonBody | None]
Nothing = JSONBody[EmptyBody | None]

_TAGS = ["Commands"]
_EVENT = "The event is in the log"


@post(
    "/api/v1/goals/{goal_id:str}/rework",
    status_code=202,
    before_request=strict_body(ReworkBody),
    tags=_TAGS,
    summary="Ask for changes",
    response_description=_EVENT,
)
async def rework(
    goal_id: FromPath[str],
    *,
    data: JSONBody[ReworkBody],
    request: AnyRequest,
    ports: PortsParam,
    key: KeyHeader = None,
) -> Response[ReworkAccepted]:
    """Opens the goal again, on the same branch; also while it still runs."""
    intent = intent_of(request, ports, key, data)
    command = Rework(by=intent.actor, request_id=intent.request_id, feedback=data.feedback, priority=data.priority)
    outcome = await command_goal(ports.writer, goal_id, command, intent)
    body = ReworkAccepted(
        goal_id=goal_id,
        rework_id=intent.request_id,
        event_id=outcome.event_id or None,
        sequence=outcome.sequence,
    )
    return Response(body, status_code=202, headers=accepted_headers(outcome, _goal(goal_id)))


@post(
    "/api/v1/goals/{goal_id:str}/approve",
    status_code=202,
    before_request=strict_body(ApproveBody, optional=True),
    tags=_TAGS,
    summary="Accept the result",
    response_description=_EVENT,
)
async def approve(
    goal_id: FromPath[str],
    *,
    request: AnyRequest,
    ports: PortsParam,
    data: OptionalApprove = None,
    key: KeyHeader = None,
) -> Response[CommandAccepted]:
    """Holds for the result that you saw: a goal that has changed since is refused."""
    body = data or ApproveBody()
    intent = intent_of(request, ports, key, body)
    seen = body.ready_seq or await _shown_ready_seq(ports, goal_id)
    return await _command(
        ports, goal_id, Approve(by=intent.actor, request_id=intent.request_id, ready_seq=seen), intent
    )


@post(
    "/api/v1/goals/{goal_id:str}/cancel",
    status_code=202,
    before_request=strict_body(ReasonBody, optional=True),
    tags=_TAGS,
    summary="Stop a goal for good",
    response_description=_EVENT,
)
async def cancel(
    goal_id: FromPath[str],
    *,
    request: AnyRequest,
    ports: PortsParam,
    data: OptionalReason = None,
    key: KeyHeader = None,
) -> Response[CommandAccepted]:
    """Work under way is stopped; what has been merged stays."""
    body = data or ReasonBody()
    intent = intent_of(request, ports, key, body)
    return await _command(
        ports, goal_id, Cancel(by=intent.actor, request_id=intent.request_id, reason=body.reason), intent
    )


@post(
    "/api/v1/goals/{goal_id:str}/pause",
    status_code=202,
    before_request=strict_body(ReasonBody, optional=True),
    tags=_TAGS,
    summary="Start nothing new",
    response_description=_EVENT,
)
async def pause(
    goal_id: FromPath[str],
    *,
    request: AnyRequest,
    ports: PortsParam,
    data: OptionalReason = None,
    key: KeyHeader = None,
) -> Response[CommandAccepted]:
    """Running work is put aside, with its progress kept."""
    body = data or ReasonBody()
    intent = intent_of(request, ports, key, body)
    return await _command(
        ports, goal_id, Pause(by=intent.actor, request_id=intent.request_id, reason=body.reason), intent
    )


@post(
    "/api/v1/goals/{goal_id:str}/resume",
    status_code=202,
    before_request=strict_body(EmptyBody, optional=True),
    tags=_TAGS,
    summary="Go on",
    response_description=_EVENT,
)
async def resume(
    goal_id: FromPath[str],
    *,
    request: AnyRequest,
    ports: PortsParam,
    data: Nothing = None,
    key: KeyHeader = None,
) -> Response[CommandAccepted]:
    """Ends a pause."""
    intent = intent_of(request, ports, key, data or EmptyBody())
    return await _command(ports, goal_id, Resume(by=intent.actor, request_id=intent.request_id), intent)


@post(
    "/api/v1/goals/{goal_id:str}/tests",
    status_code=202,
    before_request=strict_body(EmptyBody, optional=True),
    tags=_TAGS,
    summary="Run the tests now",
    response_description=_EVENT,
)
async def retest(
    goal_id: FromPath[str],
    *,
    request: AnyRequest,
    ports: PortsParam,
    data: Nothing = None,
    key: KeyHeader = None,
) -> Response[CommandAccepted]:
    """On the head of the goal's branch."""
    intent = intent_of(request, ports, key, data or EmptyBody())
    return await _command(ports, goal_id, RequestTests(by=intent.actor, request_id=intent.request_id), intent)


@post(
    "/api/v1/goals/{goal_id:str}/budget",
    status_code=202,
    before_request=strict_body(BudgetBody),
    tags=_TAGS,
    summary="Raise the goal's limits",
    response_description=_EVENT,
)
async def budget(
    goal_id: FromPath[str],
    *,
    data: JSONBody[BudgetBody],
    request: AnyRequest,
    ports: PortsParam,
    key: KeyHeader = None,
) -> Response[CommandAccepted]:
    """A limit can only be raised."""
    if data == BudgetBody():
        raise InvalidInput("Give max_cost_usd, max_llm_calls, or both", field="max_llm_calls")
    intent = intent_of(request, ports, key, data)
    command = RaiseBudget(
        by=intent.actor,
        request_id=intent.request_id,
        max_cost_usd=data.max_cost_usd,
        max_llm_calls=data.max_llm_calls,
    )
    return await _command(ports, goal_id, command, intent)


@post(
    "/api/v1/goals/{goal_id:str}/priority",
    status_code=202,
    before_request=strict_body(PriorityBody),
    tags=_TAGS,
    summary="Move the goal in the queues",
    response_description=_EVENT,
)
async def priority(
    goal_id: FromPath[str],
    *,
    data: JSONBody[PriorityBody],
    request: AnyRequest,
    ports: PortsParam,
    key: KeyHeader = None,
) -> Response[CommandAccepted]:
    """Counts for the goal's next tasks."""
    intent = intent_of(request, ports, key, data)
    command = Reprioritize(by=intent.actor, request_id=intent.request_id, priority=data.priority)
    return await _command(ports, goal_id, command, intent)


@post(
    "/api/v1/goals/{goal_id:str}/plan",
    status_code=202,
    before_request=strict_body(PlanBody),
    tags=_TAGS,
    summary="Approve or edit a plan that waits for approval",
    response_description=_EVENT,
)
async def plan(
    goal_id: FromPath[str],
    *,
    data: JSONBody[PlanBody],
    request: AnyRequest,
    ports: PortsParam,
    key: KeyHeader = None,
) -> Response[CommandAccepted]:
    """Holds for the revision that you saw; a plan that has changed since comes back with the refusal."""
    intent = intent_of(request, ports, key, data)
    if data.action == "approve":
        return _accepted(goal_id, await approve_plan(ports.writer, goal_id, data.revision, intent))
    if data.tasks is None:
        raise InvalidInput("An edit needs the whole list of tasks", field="tasks")
    outcome = await edit_plan(ports.writer, goal_id, data.revision, plan_tasks(data.tasks), intent)
    return _accepted(goal_id, outcome)


@post(
    "/api/v1/goals/{goal_id:str}/tasks/{task_id:str}/note",
    status_code=202,
    before_request=strict_body(NoteBody),
    tags=_TAGS,
    summary="Say something to the agent at work",
    response_description=_EVENT,
)
async def note(
    goal_id: FromPath[str],
    task_id: FromPath[str],
    *,
    data: JSONBody[NoteBody],
    request: AnyRequest,
    ports: PortsParam,
    key: KeyHeader = None,
) -> Response[CommandAccepted]:
    """It reads the note before its next step."""
    intent = intent_of(request, ports, key, data)
    outcome = await note_task(ports.writer, Target(goal_id, task_id), data.text, intent)
    return _accepted(goal_id, outcome)


async def _command(
    ports: GatewayPorts, goal_id: str, command: GoalCommand, intent: Intent
) -> Response[CommandAccepted]:
    return _accepted(goal_id, await command_goal(ports.writer, goal_id, command, intent))


def _accepted(goal_id: str, outcome: CommandOutcome) -> Response[CommandAccepted]:
    body = CommandAccepted(goal_id=goal_id, event_id=outcome.event_id or None, sequence=outcome.sequence)
    return Response(body, status_code=202, headers=accepted_headers(outcome, _goal(goal_id)))


def _goal(goal_id: str) -> str:
    return f"/api/v1/goals/{goal_id}"


async def _shown_ready_seq(ports: GatewayPorts, goal_id: str) -> int:
    async with snapshot(ports, None) as (connection, _):
        row = await get_goal(connection, goal_id)
    if row is None:
        raise no_goal(goal_id)
    return row.ready_seq


HANDLERS: list[Any] = [
    rework, approve, cancel, pause, resume, retest, budget, priority, plan, note,
]  # fmt: skip
