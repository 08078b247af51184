"""Submitting goals."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import msgspec
from litestar import Response
from litestar.params import JSONBody, QueryParameter

from agenthub_events.catalogue.goal import GoalPlanned
from agenthub_events.subjects import GOAL_AS_A_WHOLE, goal_id_for_key, goal_id_from_token
from agenthub_gateway.api.checking import understood, warnings_of
from agenthub_gateway.api.command import CallerParam, accepted, command
from agenthub_gateway.api.payloads.requests import SubmitBody
from agenthub_gateway.api.payloads.responses import GoalSubmitted, Understood, duration_of, in_words
from agenthub_gateway.api.payloads.submission import accepted_from, refusals
from agenthub_gateway.commands.append import CommandOutcome, check_key
from agenthub_gateway.commands.goal_events import GoalEvents, load_goal_events
from agenthub_gateway.commands.submit import submit_goal
from agenthub_gateway.live.frames import Filter
from agenthub_gateway.ports import GatewayPorts

PLAN_WAIT_S = 30.0
# With any of these there is a plan, or nothing that brings one by itself.
_DECIDED = frozenset({"goal.planned", "goal.cancelled", "goal.failed", "goal.paused", "agent.blocked"})

Wait = Annotated[
    Literal["plan"] | None,
    QueryParameter(name="wait", description="`plan`: answer once there is a plan, after 30 s at the latest."),
]


@command(
    ["/api/v1/goals", "/goals"],
    SubmitBody,
    "Submit a goal",
    tag="Goals",
    described="The goal is in the log",
    further=refusals,
)
async def submit(
    data: JSONBody[SubmitBody],
    caller: CallerParam,
    wait: Wait = None,
) -> Response[GoalSubmitted]:
    """Answers once the goal is safely in the event log; planning and work begin by themselves."""
    known = False
    if caller.key is None:
        goal_id = goal_id_from_token(caller.ports.ids.token())
    else:
        goal_id = goal_id_for_key(caller.principal, check_key(caller.key))
        known = await caller.ports.log.last(f"{goal_id}.{GOAL_AS_A_WHOLE}.goal") is not None
    # What was accepted once is replayed, also when its repository cannot be reached any more.
    sources = None if known else caller.ports.sources
    wanted = await accepted_from(data, sources)
    # The hash of a body stands in the log: what is secret in it must not be guessed from there.
    intent = caller.intent(msgspec.structs.replace(data, secrets=()))
    outcome = await submit_goal(caller.ports.writer, goal_id, wanted, intent, data.secrets)
    if wait == "plan":
        await _until_planned(caller.ports, outcome)
    family = await load_goal_events(caller.ports.log, goal_id) if wait or outcome.replayed else None
    answer = _submitted(outcome, family, understood(wanted))
    return accepted(outcome, msgspec.structs.replace(answer, warnings=warnings_of(wanted)))


def _submitted(outcome: CommandOutcome, family: GoalEvents | None, demanded: Understood) -> GoalSubmitted:
    found = family.last_of(GoalPlanned) if family else None
    planned = found.event if found else None
    if not isinstance(planned, GoalPlanned):
        return GoalSubmitted(
            goal_id=outcome.goal_id,
            status="accepted",
            workflow_generated=False,
            estimated_tasks=None,
            estimated_time=None,
            estimated_completion=None,
            event_id=outcome.event_id,
            sequence=outcome.sequence,
            understood=demanded,
        )
    minutes = planned.estimates.minutes
    return GoalSubmitted(
        goal_id=outcome.goal_id,
        status="workflow_generated",
        workflow_generated=True,
        estimated_tasks=planned.estimates.tasks,
        estimated_time=in_words(minutes),
        estimated_completion=planned.timestamp + duration_of(minutes),
        event_id=outcome.event_id,
        sequence=outcome.sequence,
        understood=demanded,
    )


async def _until_planned(ports: GatewayPorts, outcome: CommandOutcome) -> None:
    listener = ports.feed.listen(after=outcome.sequence, wanted=Filter(outcome.goal_id, _DECIDED))
    try:
        async with asyncio.timeout(PLAN_WAIT_S):
            while (frames := await listener.next(PLAN_WAIT_S)) is not None and not frames:
                pass
    except TimeoutError:
        pass
    finally:
        await listener.close()
