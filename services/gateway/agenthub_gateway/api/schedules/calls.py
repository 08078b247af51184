"""Goals that begin by the clock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from litestar import Response, get
from litestar.params import FromPath, JSONBody

from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.schedule import ScheduleAdded, SchedulePaused, ScheduleRemoved, ScheduleResumed
from agenthub_events.errors import InvalidInput, InvalidPlan
from agenthub_events.rules.schedules import Schedule, check_name, history_of, template_of
from agenthub_gateway.api.access import PortsParam
from agenthub_gateway.api.command import REPLAYED_HEADER, Caller, CallerParam, command
from agenthub_gateway.api.payloads.requests import EmptyBody, ReasonBody, SubmitBody
from agenthub_gateway.api.payloads.schedules import (
    ScheduleBody,
    ScheduleChanged,
    ScheduleList,
    ScheduleView,
    next_times,
    schedule_view,
)
from agenthub_gateway.api.payloads.submission import accepted_from, refusals
from agenthub_gateway.commands.append import CommandOutcome, Intent
from agenthub_gateway.commands.schedules.changing import Change, change_schedule
from agenthub_gateway.errors import FieldError, InvalidBody, NotFound
from agenthub_gateway.ports import GatewayPorts
from agenthub_runtime.schedules.cron import check_cron, check_time_zone
from agenthub_runtime.schedules.reading import read_outcome, read_schedules

_TAG = "Schedules"
_PATH = "/api/v1/schedules"
OptionalReason = JSONBody[ReasonBody | None]
Nothing = JSONBody[EmptyBody | None]


@get(_PATH, tags=[_TAG], summary="Which schedules there are")
async def schedules(*, ports: PortsParam) -> ScheduleList:
    """By name, with their next times and what came of the last one."""
    found = await read_schedules(ports.log)
    return ScheduleList([await _view(ports, found[name]) for name in sorted(found)])


@get(f"{_PATH}/{{name:str}}", tags=[_TAG], summary="One schedule")
async def schedule(name: FromPath[str], ports: PortsParam) -> ScheduleView:
    """With its next times and what came of the last one."""
    found = (await read_schedules(ports.log)).get(name)
    if found is None:
        raise NotFound(f"There is no schedule `{name[:60]}`")
    return await _view(ports, found)


def _refusals(rest: dict[str, Any], unfit: frozenset[str]) -> Iterable[FieldError]:
    """What is wrong with the words of a schedule of which other places are of the wrong form."""
    checks = {"name": check_name, "cron": check_cron, "time_zone": check_time_zone}
    for field, check in checks.items():
        if field in rest:
            try:
                check(rest[field])
            except InvalidInput as error:
                yield FieldError(error.field, str(error))
    if isinstance(rest.get("goal"), dict):
        inner = frozenset(key.removeprefix("goal.") for key in unfit)
        yield from (FieldError(f"goal.{error.key}", error.message) for error in refusals(rest["goal"], inner))


@command(_PATH, ScheduleBody, "Add a schedule", tag=_TAG, further=_refusals)
async def add(data: JSONBody[ScheduleBody], caller: CallerParam) -> Response[ScheduleChanged]:
    """From now on the goal begins at every minute that `cron` names, once each.

    What was due while no orchestrator ran begins once, not several times. A run starts from what `ref` stands for
    when it begins.
    """
    ports, intent = caller.ports, caller.intent(data)
    # A pattern's end matches before a last newline, too.
    wrong = list(_refusals({"name": data.name, "cron": data.cron, "time_zone": data.time_zone}, frozenset()))
    # Of a name that is taken the repository decides nothing, also when it cannot be reached any more.
    is_taken = data.name in await read_schedules(ports.log)
    accepted = await _goal(data.goal, None if is_taken else ports, wrong)
    event = ScheduleAdded(
        schedule=check_name(data.name),
        cron=check_cron(data.cron),
        time_zone=check_time_zone(data.time_zone),
        overlap=data.overlap,
        goal=template_of(accepted),
        by=intent.actor,
    )
    return await _changed(caller, event, intent)


@command(f"{_PATH}/{{name:str}}/pause", ReasonBody, "Pause a schedule", tag=_TAG, optional=True)
async def pause(
    name: FromPath[str], caller: CallerParam, data: OptionalReason = None
) -> Response[ScheduleChanged]:
    """It begins nothing any more; goals that it has begun go on."""
    body = data or ReasonBody()
    intent = caller.intent(body)
    return await _changed(caller, SchedulePaused(schedule=name, reason=body.reason, by=intent.actor), intent)


@command(f"{_PATH}/{{name:str}}/resume", EmptyBody, "Resume a schedule", tag=_TAG, optional=True)
async def resume(name: FromPath[str], caller: CallerParam, data: Nothing = None) -> Response[ScheduleChanged]:
    """It counts again from now on: what was due in between is not made up for."""
    intent = caller.intent(data or EmptyBody())
    return await _changed(caller, ScheduleResumed(schedule=name, by=intent.actor), intent)


@command(f"{_PATH}/{{name:str}}/remove", EmptyBody, "Remove a schedule", tag=_TAG, optional=True)
async def remove(name: FromPath[str], caller: CallerParam, data: Nothing = None) -> Response[ScheduleChanged]:
    """It is gone; goals that it has begun go on."""
    intent = caller.intent(data or EmptyBody())
    return await _changed(caller, ScheduleRemoved(schedule=name, by=intent.actor), intent)


async def _goal(body: SubmitBody, ports: GatewayPorts | None, wrong: list[FieldError]) -> GoalAccepted:
    """What begins each time. Raises `InvalidBody`, also for what is `wrong` already, or `InvalidPlan`."""
    if body.secrets:
        told = "A schedule keeps no secrets: they belong to one goal and are erased with it"
        wrong.append(FieldError("goal.secrets", told))
    try:
        accepted = await accepted_from(body, None if ports is None else ports.sources)
    except InvalidPlan as error:
        error.field = f"goal.{error.field}"
        if not wrong:
            raise
        wrong += [FieldError(error.field, reason) for reason in error.reasons]
    except InvalidBody as error:
        wrong += [FieldError(f"goal.{place.key}", place.message) for place in error.errors]
    if wrong:
        raise InvalidBody(wrong)
    return accepted


async def _view(ports: GatewayPorts, found: Schedule) -> ScheduleView:
    history = history_of(await read_outcome(ports.log, found.name))
    return schedule_view(found, history, ports.clock.now())


async def _changed(caller: Caller, event: Change, intent: Intent) -> Response[ScheduleChanged]:
    ports = caller.ports
    outcome = await change_schedule(ports.writer, event, intent)
    found = (await read_schedules(ports.log)).get(event.schedule)
    body = ScheduleChanged(
        name=event.schedule,
        state=_state(found),
        next=next_times(found, ports.clock.now()),
        event_id=outcome.event_id or None,
        sequence=outcome.sequence,
    )
    return Response(body, status_code=202, headers=_headers(event.schedule, outcome))


def _state(found: Schedule | None) -> Literal["active", "paused", "removed"]:
    if found is None:
        return "removed"
    return "paused" if found.paused else "active"


def _headers(name: str, outcome: CommandOutcome) -> dict[str, str]:
    return {"Location": f"{_PATH}/{name}", **({REPLAYED_HEADER: "true"} if outcome.replayed else {})}


HANDLERS: list[Any] = [schedules, schedule, add, pause, resume, remove]
