"""A run as people read it: what the agent said, which tools it called, and what came back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from agenthub_events.redaction import KnownSecrets, redact
from agenthub_events.runs import (
    Closed,
    Nudge,
    RecordedStep,
    Resumed,
    ToolIntent,
    ToolReceipt,
    TurnFailed,
    TurnIntent,
    TurnReply,
)

LineKind = Literal["held", "asked", "said", "failed", "tool", "note", "closed"]


class TranscriptLine(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened in a run.

    `kind`: held (a worker took the run), asked (the model is asked, no reply yet), said (a reply; its tool calls
    follow), failed (a call without a reply), tool, note (a word to the agent; `note_seq` when a person said it),
    closed. `ended_at` is null while it goes on. `text` is what was said, or what the tool gave back.
    """

    seq: int
    kind: LineKind
    at: str
    ended_at: str | None = None
    turn: int = 0
    text: str = ""
    tool: str = ""
    input: dict[str, Any] = {}
    is_error: bool = False
    commit: str = ""
    worker: str = ""
    model: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    note_seq: int = 0


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """The recorded steps of one attempt; `live` is what has passed by of the step that is open."""

    goal_id: str
    task_id: str
    attempt: int
    items: list[TranscriptLine]
    live: str = ""


class RunOutput(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt's tools and model gave out within the last day; `cut`: the beginning was left out."""

    goal_id: str
    task_id: str
    attempt: int
    text: str
    cut: bool = False


def open_kind(steps: Sequence[RecordedStep]) -> Literal["text", "output", ""]:
    """What passes by belongs to the step that is open: the asked model's text, or a running tool's output.

    Pieces of a step that is closed may come after it: what they say stands in the step already.
    """
    match steps[-1].step if steps else None:
        case TurnIntent():
            return "text"
        case ToolIntent():
            return "output"
        case _:
            return ""


def transcript_lines(steps: Sequence[RecordedStep], secrets: KnownSecrets) -> list[TranscriptLine]:
    """The lines of a run's steps, with what looks like a credential masked."""
    reader = _Reader()
    for recorded in steps:
        reader.take(recorded)
    return [redact(line, secrets) for line in reader.lines]


class _Reader:
    """Puts an intent and what answered it into one line."""

    def __init__(self) -> None:
        self.lines: list[TranscriptLine] = []
        self._open: dict[str, int] = {}

    def take(self, recorded: RecordedStep) -> None:
        seq, at = recorded.seq, recorded.at
        match step := recorded.step:
            case Resumed():
                self.lines.append(TranscriptLine(seq=seq, kind="held", at=at, ended_at=at, worker=step.worker))
            case TurnIntent():
                self._open_line(
                    "turn", TranscriptLine(seq=seq, kind="asked", at=at, turn=step.turn, model=step.model)
                )
            case TurnReply():
                self._close_line("turn", _said(recorded, step))
            case TurnFailed():
                failed = TranscriptLine(
                    seq=seq, kind="failed", at=at, turn=step.turn, text=step.reason, is_error=True
                )
                self._close_line("turn", msgspec.structs.replace(failed, ended_at=at))
            case ToolIntent():
                line = TranscriptLine(
                    seq=seq, kind="tool", at=at, turn=step.turn, tool=step.name, input=step.input
                )
                self._open_line(step.tool_use_id, line)
            case ToolReceipt():
                self._receipt(recorded, step)
            case Nudge():
                self.lines.append(
                    TranscriptLine(
                        seq=seq, kind="note", at=at, ended_at=at, text=step.text, note_seq=step.note_seq
                    )
                )
            case Closed():
                self.lines.append(TranscriptLine(seq=seq, kind="closed", at=at, ended_at=at, text=step.reason))

    def _open_line(self, name: str, line: TranscriptLine) -> None:
        self._open[name] = len(self.lines)
        self.lines.append(line)

    def _close_line(self, name: str, line: TranscriptLine) -> None:
        """Put `line` where its intent stands, with the time at which that began."""
        place = self._open.pop(name, None)
        if place is None:
            self.lines.append(line)
        else:
            self.lines[place] = msgspec.structs.replace(line, at=self.lines[place].at)

    def _receipt(self, recorded: RecordedStep, step: ToolReceipt) -> None:
        place = self._open.pop(step.tool_use_id, None)
        began = TranscriptLine(seq=recorded.seq, kind="tool", at=recorded.at, turn=step.turn, tool=step.name)
        line = msgspec.structs.replace(
            began if place is None else self.lines[place],
            ended_at=recorded.at,
            text=step.text,
            is_error=step.is_error,
            commit=step.commit,
        )
        if place is None:
            self.lines.append(line)
        else:
            self.lines[place] = line


def _said(recorded: RecordedStep, step: TurnReply) -> TranscriptLine:
    words = [str(block.get("text") or "") for block in step.content if block.get("type") == "text"]
    return TranscriptLine(
        seq=recorded.seq,
        kind="said",
        at=recorded.at,
        ended_at=recorded.at,
        turn=step.turn,
        text="\n\n".join(word for word in words if word.strip()),
        model=step.model,
        input_tokens=step.usage.input_tokens,
        output_tokens=step.usage.output_tokens,
        cache_read_tokens=step.usage.cache_read_tokens,
    )
