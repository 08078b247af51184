"""A goal that goes on from an event of another one. The other goal is only read."""

from __future__ import annotations

from typing import Any

from litestar import Response
from litestar.params import FromPath, JSONBody

from agenthub_events.subjects import goal_id_for_key, goal_id_from_token
from agenthub_gateway.api.access import no_goal
from agenthub_gateway.api.command import Caller, CallerParam, accepted, command
from agenthub_gateway.api.goal_reads import is_goal_id
from agenthub_gateway.api.payloads.requests import ForkBody
from agenthub_gateway.api.payloads.responses import ForkAccepted
from agenthub_gateway.api.payloads.submission import plan_tasks
from agenthub_gateway.commands.append import CommandOutcome, check_key
from agenthub_gateway.commands.forking import ForkPoint, fork_goal
from agenthub_gateway.commands.goal_events import load_goal_events
from agenthub_replay.forking import Different


@command(
    "/api/v1/goals/{goal_id:str}/fork", ForkBody, "Fork a goal", tag="Goals", described="The goal is in the log"
)
async def fork(goal_id: FromPath[str], *, data: JSONBody[ForkBody], caller: CallerParam) -> Response[ForkAccepted]:
    """A new goal with plan, results and files of this one as of an event, and a budget of its own.

    What was under way there is ordered anew. This goal is left as it is.
    """
    ports = caller.ports
    if not is_goal_id(goal_id) or await ports.log.last(goal_id) is None:
        raise no_goal(goal_id)
    point = ForkPoint(
        goal_id=goal_id,
        at_seq=data.at_seq,
        different=Different(
            model=data.model,
            prompt=data.prompt,
            tasks=None if data.plan is None else plan_tasks(data.plan),
            max_cost_usd=data.max_cost_usd,
            max_llm_calls=data.max_llm_calls,
        ),
    )
    fork_id = _id_of(caller, goal_id)
    outcome = await fork_goal(ports.writer, ports.histories, fork_id, point, caller.intent(data))
    return accepted(outcome, await _answer(caller, outcome))


def _id_of(caller: Caller, goal_id: str) -> str:
    if caller.key is None:
        return goal_id_from_token(caller.ports.ids.token())
    # The same key on another goal is another fork.
    return goal_id_for_key(caller.principal, f"{check_key(caller.key)}|{goal_id}")


async def _answer(caller: Caller, outcome: CommandOutcome) -> ForkAccepted:
    begun = (await load_goal_events(caller.ports.log, outcome.goal_id)).aggregate.accepted
    taken = begun.fork if begun else None
    if taken is None:
        raise no_goal(outcome.goal_id)
    over = {ended.task_id for ended in taken.ended} & {task.task_id for task in taken.tasks}
    return ForkAccepted(
        goal_id=outcome.goal_id,
        forked_from=taken.goal_id,
        at_seq=taken.at_seq,
        tasks_inherited=len(over),
        tasks_ahead=len(taken.tasks) - len(over) if taken.tasks else None,
        event_id=outcome.event_id,
        sequence=outcome.sequence,
    )


HANDLERS: list[Any] = [fork]
