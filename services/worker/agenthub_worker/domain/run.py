"""An agent's run as a fold over its recorded steps: the messages for the model, and what happened so far.

Whoever folds the same steps gets the same messages, so a run goes on at its next step wherever it was left: no
recorded reply is asked for again, no finished tool call is made again.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import msgspec

from agenthub_events.catalogue.values import Usage
from agenthub_events.context import Answered
from agenthub_events.runs import (
    Closed,
    DiffSpan,
    Nudge,
    RecordedStep,
    Resumed,
    Step,
    ToolIntent,
    ToolReceipt,
    TurnFailed,
    TurnIntent,
    TurnReply,
    kept_id,
)
from agenthub_worker.domain.stuck_detection import UNSTICK, CallWatch

REPAIR = (
    "You ended your turn without a final tool call, so nothing was handed in. Go on with the task, and end with"
    " the tool that reports the result."
)
INTERRUPTED = (
    "Interrupted: the worker that ran this call was lost before the call had ended. Its changes since the last"
    " recorded step are gone. Make the call again if it is still needed."
)
NOT_RUN = "Not run: your reply stopped before it was complete ({reason}). Make the call again."
NOT_KEPT = (
    "Not run: the call held a secret that is kept nowhere, and the worker that had heard it is gone. Make the call"
    " again, with the secret."
)
NOT_BEGUN = "Not run: the attempt ended before this call was begun. Make it again if it is still needed."
CUT_OFF = "Your reply was cut off at its limit of tokens. Go on, in shorter steps."
COMMANDS = "bash"
"""The tool whose calls leave something behind for the next one."""
ENDED_HERE = "The attempt ended with this call. A new attempt begins; go on with the task."

_Block = dict[str, Any]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A tool call of the model that has no result yet. `masked`: `input` is not all that the model said."""

    turn: int
    tool_use_id: str
    name: str
    input: Mapping[str, Any]
    masked: bool = False


class AnsweredCall(msgspec.Struct, frozen=True, kw_only=True):
    """An answered model call of the current attempt, as far as the ledger needs it."""

    turn: int
    tries: int
    model: str
    provider: str
    stop_reason: str
    request_hash: str
    usage: Usage
    latency_ms: int


class Run:
    """The state of a run. It begins with the first user message; `apply` takes one step after the other.

    `endings` are the tools whose call ends a run when its input is good.

    Counters (`turn`, `intents`, `answers`, `errors`, ...) are those of the current attempt; the messages, the
    checkpoint, `shown` (what of the change the agent has read), `commanded` (whether it has run commands) and
    `kept` (outputs that are stored whole, by id) reach over all attempts that were resumed.
    """

    def __init__(self, first: str, endings: Set[str]) -> None:
        self._endings = endings
        self._messages: list[_Block] = []
        self._user: list[_Block] = [_text(first)]
        self.used_ids: set[str] = set()
        self.calls: deque[Call] = deque()
        self.open_call: ToolIntent | None = None
        self.commit = ""
        self.bundle_ref = ""
        self.notes: set[int] = set()
        self.shown: list[DiffSpan] = []
        self.commanded = False
        self.kept: dict[str, str] = {}
        self._begin_counters()

    def _begin_counters(self) -> None:
        self.turn = 0
        self.tries = 0
        self.intents = 0
        self.unbilled = 0
        self.answers: list[AnsweredCall] = []
        self.errors = 0
        self.bad_calls: Counter[str] = Counter()
        self.last_error = ""
        self.stopped = ""
        self.fault = ""
        self.same_faults = 0
        self.needs_repair = False
        self.repaired = False
        self.watch = CallWatch()
        self.closed = ""

    @property
    def messages(self) -> tuple[_Block, ...]:
        """The conversation for the next call, in the shape of the Messages API."""
        if not self._user:
            return tuple(self._messages)
        return (*self._messages, {"role": "user", "content": list(self._user)})

    @property
    def unanswered(self) -> int:
        """Calls of the attempt that may have been billed without an answer."""
        return self.intents - self.unbilled - len(self.answers)

    def usage(self) -> Usage:
        """Everything that the attempt's answered calls used; the cost is known only when each one's is."""
        total = Usage()
        for answer in self.answers:
            total = add_usage(total, answer.usage)
        return total

    def resume_in(self, *, answered: Answered | None, changed: Sequence[str]) -> None:
        """A new attempt goes on from what was folded so far: give every call without a result one."""
        if self.open_call is not None:
            self._result(self.open_call.tool_use_id, INTERRUPTED, is_error=True)
            self.calls.popleft()
            self.open_call = None
        while self.calls:
            call = self.calls.popleft()
            if answered is not None and call.tool_use_id == answered.tool_use_id:
                self._result(call.tool_use_id, answered.answer)
                answered = None
            else:
                ended = call.name in self._endings
                self._result(call.tool_use_id, ENDED_HERE if ended else NOT_BEGUN, is_error=not ended)
        if answered is not None:
            self._user.append(_text(f"A person answered your question “{answered.question}”:\n{answered.answer}"))
        if changed:
            listed = "\n".join(f"- {line}" for line in changed)
            self._user.append(_text(f"A new attempt of this task begins. What changed since:\n{listed}"))
        self._begin_counters()

    def apply(self, step: Step) -> None:
        """One more recorded step."""
        match step:
            case Resumed():
                pass
            case TurnIntent():
                self.tries = step.tries
                self.intents += 1
            case TurnReply():
                self._reply(step)
            case TurnFailed():
                self.unbilled += not step.may_be_billed
                self.same_faults = self.same_faults + 1 if step.fault == self.fault else 1
                self.fault = step.fault
            case ToolIntent():
                self.open_call = step
                self.commanded = self.commanded or step.name == COMMANDS
            case ToolReceipt():
                self._receipt(step)
            case Nudge():
                self._nudge(step)
            case Closed():
                self.closed = step.reason

    def _reply(self, step: TurnReply) -> None:
        self.turn, self.tries = step.turn, 0
        self.fault, self.same_faults = "", 0
        self.answers.append(
            AnsweredCall(
                turn=step.turn,
                tries=step.tries,
                model=step.model,
                provider=step.provider,
                stop_reason=step.stop_reason,
                request_hash=step.request_hash,
                usage=step.usage,
                latency_ms=step.latency_ms,
            )
        )
        content = [block for block in step.content if _goes_back(block)]
        if content:
            if self._user:
                self._messages.append({"role": "user", "content": self._user})
            self._user = []
            self._messages.append({"role": "assistant", "content": content})
        wanted = [block for block in content if block.get("type") == "tool_use"]
        self.used_ids.update(str(block.get("id", "")) for block in wanted)
        self._stop(step, wanted, empty=not content)

    def _stop(self, step: TurnReply, wanted: list[_Block], *, empty: bool) -> None:
        match step.stop_reason:
            case "tool_use" if wanted:
                self.needs_repair = False
                self._take_calls(step, wanted)
            case "max_tokens":
                self._refuse_calls(wanted, "limit of tokens")
                self._user.append(_text(CUT_OFF))
                self._count_error(CUT_OFF)
            case "tool_use" | "end_turn" | "stop_sequence" | "pause_turn":
                self._refuse_calls(wanted, step.stop_reason)
                self.needs_repair = True
            case "pause_turn" if not empty:
                # The server goes on where it stopped; a call of ours that stands open would keep it from that.
                self._refuse_calls(wanted, step.stop_reason)
            case reason:
                self._refuse_calls(wanted, reason)
                self.stopped = reason

    def _take_calls(self, step: TurnReply, wanted: list[_Block]) -> None:
        for block in wanted:
            self.calls.append(
                Call(
                    turn=step.turn,
                    tool_use_id=str(block.get("id", "")),
                    name=str(block.get("name", "")),
                    input=block.get("input") or {},
                    masked=str(block.get("id", "")) in step.masked,
                )
            )

    def _refuse_calls(self, wanted: list[_Block], reason: str) -> None:
        for block in wanted:
            self._result(str(block.get("id", "")), NOT_RUN.format(reason=reason), is_error=True)

    def _receipt(self, step: ToolReceipt) -> None:
        self.open_call = None
        if self.calls and self.calls[0].tool_use_id == step.tool_use_id:
            call = self.calls.popleft()
            has_changed = step.commit not in ("", self.commit)
            self.watch.see(call.name, call.input, step.text, has_changed=has_changed)
        self._result(step.tool_use_id, step.text, is_error=step.is_error)
        if step.kept:
            self.kept[kept_id(step.kept)] = step.kept
        if step.commit:
            self.commit, self.bundle_ref = step.commit, step.bundle_ref
        if step.is_error:
            self._count_error(step.text)
            self.bad_calls[step.name] += 1
        else:
            self.errors = 0
            self.shown.extend(step.shown)

    def _nudge(self, step: Nudge) -> None:
        self._user.append(_text(step.text))
        if step.note_seq:
            self.notes.add(step.note_seq)
        elif step.text == UNSTICK:
            self.watch.warn()
        elif step.text == REPAIR:
            self.repaired, self.needs_repair = True, False

    def _count_error(self, text: str) -> None:
        self.errors += 1
        self.last_error = text

    def _result(self, tool_use_id: str, text: str, *, is_error: bool = False) -> None:
        block: _Block = {"type": "tool_result", "tool_use_id": tool_use_id, "content": text or "(no output)"}
        if is_error:
            block["is_error"] = True
        # The API wants the results of a turn before any other text.
        position = sum(1 for known in self._user if known["type"] == "tool_result")
        self._user.insert(position, block)


def fold(run: Run, steps: Iterable[RecordedStep]) -> int:
    """Apply recorded steps; returns the sequence of the last one (0 when there is none)."""
    last = 0
    for recorded in steps:
        run.apply(recorded.step)
        last = recorded.seq
    return last


def add_usage(one: Usage, other: Usage) -> Usage:
    """The sum of two usages; an unknown cost stays unknown."""
    known = one.cost_usd is not None and other.cost_usd is not None
    return Usage(
        calls=one.calls + other.calls,
        input_tokens=one.input_tokens + other.input_tokens,
        output_tokens=one.output_tokens + other.output_tokens,
        cache_read_tokens=one.cache_read_tokens + other.cache_read_tokens,
        cache_write_tokens=one.cache_write_tokens + other.cache_write_tokens,
        cost_usd=(one.cost_usd or 0.0) + (other.cost_usd or 0.0) if known else None,
    )


_GO_BACK = frozenset({"tool_use", "server_tool_use"})


def _goes_back(block: _Block) -> bool:
    """Whether a block of a reply is sent back: servers turn down empty ones, and kinds that they do not take."""
    match kind := str(block.get("type", "")):
        case "text":
            return bool(str(block.get("text") or "").strip())
        case "thinking":
            return bool(block.get("signature"))
        case "redacted_thinking":
            return bool(block.get("data"))
        case _:
            return kind in _GO_BACK or kind.endswith("_tool_result")


def _text(text: str) -> _Block:
    return {"type": "text", "text": text}
