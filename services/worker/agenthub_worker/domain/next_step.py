"""What an agent's run does next, as a pure function of the run and its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from agenthub_events.catalogue.values import FailureClass
from agenthub_events.runs import ToolIntent
from agenthub_worker.domain.run import REPAIR, Call, Run
from agenthub_worker.domain.stuck_detection import UNSTICK


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one attempt. `max_total_tokens` counts input and output of all its calls.

    `repairs` says how often a tool's call may be refused, for tools with such a limit.
    """

    repairs: Mapping[str, int]
    max_turns: int = 60
    max_errors: int = 12
    max_total_tokens: int = 2_000_000


class CallModel(msgspec.Struct, frozen=True):
    """Ask the model for this turn; `tries` counts how often it was asked, from 1."""

    turn: int
    tries: int


class RunTool(msgspec.Struct, frozen=True):
    """Run this call."""

    call: Call


class TellInterrupted(msgspec.Struct, frozen=True):
    """The call was begun by a worker that is gone: tell the model so."""

    intent: ToolIntent


class Say(msgspec.Struct, frozen=True):
    """Put this text before the next model call."""

    text: str


class Fail(msgspec.Struct, frozen=True):
    """The attempt cannot bring a result."""

    failure_class: FailureClass
    reason: str


class GetHelp(msgspec.Struct, frozen=True):
    """The agent goes round in circles: a person has to look."""

    question: str
    evidence: str


class Abandon(msgspec.Struct, frozen=True):
    """Somebody else has closed the run."""

    reason: str


NextStep: TypeAlias = CallModel | RunTool | TellInterrupted | Say | Fail | GetHelp | Abandon


def next_step(run: Run, bounds: Bounds) -> NextStep:
    """The next step of the run."""
    if run.closed:
        return Abandon(run.closed)
    if run.open_call is not None:
        return TellInterrupted(run.open_call)
    if failed := _broken(run, bounds):
        return failed
    if run.calls:
        return RunTool(run.calls[0])
    if run.watch.is_stuck:
        return _stuck(run)
    if run.needs_repair:
        if run.repaired:
            return Fail("invalid", "The agent ended its turn twice without handing in a result.")
        return Say(REPAIR)
    return _limit(run, bounds) or CallModel(run.turn + 1, run.tries + 1)


def _broken(run: Run, bounds: Bounds) -> Fail | None:
    if run.stopped:
        return _stop_failure(run.stopped)
    for name, repairs in bounds.repairs.items():
        if run.bad_calls[name] > repairs:
            return Fail("invalid", f"The agent's {name} was refused {run.bad_calls[name]} times: {run.last_error}")
    if run.errors >= bounds.max_errors:
        return Fail("tool", f"{run.errors} tool calls in a row failed, the last one with: {run.last_error[:500]}")
    return None


def _stop_failure(reason: str) -> Fail:
    match reason:
        case "refusal":
            return Fail("model", "The model refused this task. Reword it, or choose another model for it.")
        case "model_context_window_exceeded":
            return Fail(
                "limit",
                "The conversation no longer fits into the model. Split the task, or take a model with more room.",
            )
        case _:
            return Fail("model", f"The model stopped for a reason that this version does not know: {reason[:80]}.")


def _stuck(run: Run) -> NextStep:
    if not run.watch.warned:
        return Say(UNSTICK)
    return GetHelp(
        "The agent repeats the same call with the same result and makes no progress. How should it go on?",
        f"Repeated {run.watch.repeats} times after a warning. The last result began: {_last_text(run)[:500]}",
    )


def _limit(run: Run, bounds: Bounds) -> Fail | None:
    if run.turn >= bounds.max_turns:
        return Fail("limit", f"The agent used all {bounds.max_turns} turns without handing in a result.")
    usage = run.usage()
    tokens = usage.input_tokens + usage.output_tokens + usage.cache_read_tokens + usage.cache_write_tokens
    if tokens >= bounds.max_total_tokens:
        return Fail("limit", f"The agent used {tokens} tokens of {bounds.max_total_tokens} without a result.")
    return None


def _last_text(run: Run) -> str:
    for block in reversed(run.messages[-1]["content"] if run.messages else []):
        if block.get("type") == "tool_result":
            return str(block["content"])
    return ""
