"""Which tool a running agent calls, as a frame of the live feed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from agenthub_events.redaction import KnownSecrets, as_shown, redact_text
from agenthub_events.runs import ToolIntent, ToolReceipt, decode_step
from agenthub_gateway.live.frames import Frame
from agenthub_runtime.jetstream.wire import RawMessage

TOOL = "run.tool"
STEPS = ("run.*.*.*.step.tool.intent", "run.*.*.*.step.tool.receipt")
GIVEN_MAX = 200
_TOKENS = 7


class ToolView(msgspec.Struct, frozen=True, kw_only=True):
    """A tool that began or ended, in one attempt. `call` is the same for both; `given` says what it was given, on
    one line of at most 200 characters."""

    type: str = TOOL
    run_seq: int
    goal_id: str
    task_id: str
    attempt: int
    call: str
    tool: str
    state: Literal["began", "ended"]
    given: str = ""
    is_error: bool = False


def tool_frame(message: RawMessage, secrets: KnownSecrets) -> Frame | None:
    """The frame of `run.<goal>.<task>.<attempt>.step.tool.<intent|receipt>`; None when it is no such."""
    tokens = message.subject.split(".")
    if len(tokens) != _TOKENS or tokens[4:6] != ["step", "tool"] or not tokens[3].isdecimal():
        return None
    try:
        step = decode_step(message.data)
    except msgspec.DecodeError:
        return None
    if not isinstance(step, ToolIntent | ToolReceipt):
        return None
    began = isinstance(step, ToolIntent)
    view = ToolView(
        run_seq=message.seq,
        goal_id=tokens[1],
        task_id=tokens[2],
        attempt=int(tokens[3]),
        call=step.tool_use_id,
        tool=step.name,
        state="began" if began else "ended",
        given=given_in_short(step.input, secrets) if isinstance(step, ToolIntent) else "",
        is_error=isinstance(step, ToolReceipt) and step.is_error,
    )
    return Frame(TOOL, view.goal_id, None, msgspec.json.encode(view))


def given_in_short(arguments: Mapping[str, Any], secrets: KnownSecrets) -> str:
    """The arguments of one line; of longer ones alone, the first line. Masked before anything is cut off: half a
    secret is none that could be found."""
    texts = [redact_text(as_shown(str(value)), secrets).strip() for value in arguments.values()]
    short = [text for text in texts if "\n" not in text] or [f"{text.splitlines()[0]} …" for text in texts[:1]]
    line = " ".join(" ".join(short).split())
    return line if len(line) <= GIVEN_MAX else f"{line[: GIVEN_MAX - 1]}…"
