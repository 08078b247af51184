"""The loop of an agent: ask the model, run its tools, until it hands in a result or cannot."""

from __future__ import annotations

from agenthub_events.runs import Nudge
from agenthub_worker.agent.model_calls import ModelDesk
from agenthub_worker.agent.tool_calls import ToolDesk
from agenthub_worker.domain.agent_output import HandedIn
from agenthub_worker.domain.next_step import (
    Abandon,
    Bounds,
    CallModel,
    Fail,
    GetHelp,
    RunTool,
    Say,
    TellInterrupted,
    next_move,
)
from agenthub_worker.domain.outcomes import Blocked, Failed
from agenthub_worker.lease.journal import RunBook
from agenthub_worker.lease.lease import AttemptOver, Lost


async def run_agent(book: RunBook, models: ModelDesk, tools: ToolDesk, bounds: Bounds) -> HandedIn:
    """Go on from what `book` holds to the end. Raises `Lost`, and `AttemptOver` for every end without a result."""
    await models.count()
    while True:
        move = next_move(book.run, bounds)
        match move:
            case CallModel():
                await models.ask(move)
            case RunTool(call=call):
                handed_in = await tools.run(call)
                if handed_in is not None:
                    return handed_in
            case TellInterrupted(intent=intent):
                await tools.make_up_for(intent)
            case Say(text=text):
                await book.write(Nudge(text=text))
            case Fail(failure_class=kind, reason=reason):
                raise AttemptOver(Failed(failure_class=kind, reason=reason))
            case GetHelp(question=question, evidence=evidence):
                raise AttemptOver(Blocked(question=question, evidence=evidence, reason="loop"))
            case Abandon(reason=reason):
                raise Lost(f"the run is closed: {reason}")
