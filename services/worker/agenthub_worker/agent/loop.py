"""The loop of an agent: ask the model, run its tools, until it hands in a result or cannot."""

from __future__ import annotations

from agenthub_events.runs import Nudge
from agenthub_worker.agent.model_calls import ModelCalls
from agenthub_worker.agent.tool_calls import ToolCalls
from agenthub_worker.domain.agent_output import AgentOutput
from agenthub_worker.domain.next_step import (
    Abandon,
    Bounds,
    CallModel,
    Fail,
    GetHelp,
    RunTool,
    Say,
    TellInterrupted,
    next_step,
)
from agenthub_worker.domain.outcomes import Blocked, Failed
from agenthub_worker.lease.journal import Journal
from agenthub_worker.lease.lease import AttemptOver, LeaseLost


async def run_agent(journal: Journal, models: ModelCalls, tools: ToolCalls, bounds: Bounds) -> AgentOutput:
    """Go on from where `journal` stops. Raises `LeaseLost`, and `AttemptOver` for every end without a result."""
    await models.count()
    while True:
        step = next_step(journal.run, bounds)
        match step:
            case CallModel():
                await models.ask(step)
            case RunTool(call=call):
                agent_output = await tools.run(call)
                if agent_output is not None:
                    return agent_output
            case TellInterrupted(intent=intent):
                await tools.make_up_for(intent)
            case Say(text=text):
                await journal.write(Nudge(text=text))
            case Fail(failure_class=kind, reason=reason):
                raise AttemptOver(Failed(failure_class=kind, reason=reason))
            case GetHelp(question=question, evidence=evidence):
                raise AttemptOver(Blocked(question=question, evidence=evidence, reason="loop"))
            case Abandon(reason=reason):
                raise LeaseLost(f"the run is closed: {reason}")
