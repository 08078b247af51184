"""Timers about a goal as a whole, on the server's own schedules: what they are for comes to pass."""

from __future__ import annotations

from nats.aio.client import Client

from agenthub_events.base import Event
from agenthub_events.catalogue.agent import AgentBlocked, AgentEscalated
from agenthub_events.catalogue.goal import GoalDeadlinePassed
from agenthub_events.catalogue.values import PlanTask
from agenthub_orchestrator.domain import Policy
from tests.support.deciding import deciding
from tests.support.until import until
from tests.support.workbench import Desk

WAIT = (PlanTask(key="wait", title="Wait", agent="noop"),)


async def told(desk: Desk, kind: type[Event]) -> Event:
    """The first event of this kind about the goal as a whole."""

    async def found() -> Event | None:
        return next((m.event for m in await desk.log.read(f"{desk.goal_id}._") if isinstance(m.event, kind)), None)

    event = await until(found, 300, f"{kind.__name__} is in the log")
    assert event is not None
    return event


async def test_a_goal_whose_time_is_over_is_told_and_asked_about(bus: Client) -> None:
    desk = Desk(bus)
    async with deciding(bus):
        await desk.accept(workflow=WAIT, max_time_s=1)
        passed = await told(desk, GoalDeadlinePassed)
        asked = await told(desk, AgentBlocked)
    assert passed.metadata["input"] == "timer:deadline"
    assert isinstance(asked, AgentBlocked)
    assert (asked.task_id, asked.reason) == ("", "deadline")


async def test_a_question_about_a_goal_that_nobody_answers_is_raised_again(bus: Client) -> None:
    desk = Desk(bus)
    async with deciding(bus, Policy(escalate_after_s=0.5)):
        await desk.accept(workflow=WAIT, max_time_s=1)
        raised = await told(desk, AgentEscalated)
    assert isinstance(raised, AgentEscalated)
    assert raised.level == 1
