"""Running again: every recorded run of an agent, with today's code asking, moving and ending as it would now.

Replies and results of tools are those that were recorded: no model is asked, and no tool is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from agenthub_events.base import Event
from agenthub_events.catalogue import CLOSES_ATTEMPT
from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.task import TaskCompleted, TaskEnqueued, TaskFailed
from agenthub_events.context import WorkContext, decode_context
from agenthub_events.redaction import MASK
from agenthub_events.runs import (
    Nudge,
    RecordedStep,
    Resumed,
    RunId,
    RunSetup,
    Step,
    ToolIntent,
    ToolReceipt,
    TurnIntent,
    decode_setup,
    step_kind,
)
from agenthub_replay.history import GoalHistory, readable
from agenthub_replay.playing.differences import Divergence, DivergenceKind
from agenthub_replay.playing.exact import Exact
from agenthub_replay.playing.setups import differing_setup
from agenthub_worker.domain.model import ModelRequest, request_hash
from agenthub_worker.domain.next_step import (
    Bounds,
    CallModel,
    Fail,
    GetHelp,
    NextStep,
    RunTool,
    Say,
    TellInterrupted,
    next_step,
)
from agenthub_worker.domain.run import INTERRUPTED, Run
from agenthub_worker.tools.registry import CONTROL, ENDINGS, REPAIRS


class RunsReplayed(NamedTuple):
    """How many requests and moves of recorded runs were made again, what could not be, and what differs."""

    requests: int
    moves: int
    missing: tuple[str, ...]
    differences: tuple[Divergence, ...]


async def replay_runs(history: GoalHistory) -> RunsReplayed:
    """Run every attempt again that has recorded steps, in the order of their orders."""
    replay = _Runs(history)
    for order in replay.orders:
        await replay.run(order)
    return RunsReplayed(replay.requests, replay.moves, tuple(replay.missing), tuple(replay.differences))


class _Runs:
    def __init__(self, history: GoalHistory) -> None:
        orders = [r.event for r in history.events if isinstance(r.event, TaskEnqueued)]
        self.requests = 0
        self.moves = 0
        self.missing: dict[str, None] = {}
        self.differences: list[Divergence] = []
        self._history = history
        self._exact = Exact(history)
        # An order that stands in for a lost one is of the same attempt.
        self._by_run = {(order.task_id, order.attempt): order for order in orders}
        self.orders = list(self._by_run.values())
        self._closings = {
            (subject.task_id, event.attempt): event
            for recorded in history.own_events
            if (event := readable(recorded)) is not None
            and event.type in CLOSES_ATTEMPT
            and (subject := history.subjects.get(recorded.seq)) is not None
            and hasattr(event, "attempt")
        }

    async def run(self, order: TaskEnqueued) -> None:
        """Play one attempt, holder by holder."""
        run_id = RunId(self._history.goal_id, order.task_id, order.attempt)
        steps = self._history.runs.get(run_id, ())
        setups = [recorded for recorded in steps if isinstance(recorded.step, Resumed)]
        if not setups:
            return
        context = await self._context(order)
        if context is None:
            self.missing[f"context {order.context_ref} of {run_id.prefix}"] = None
            return
        played = _Attempt(self, order, run_id)
        for number, recorded in enumerate(steps):
            step = recorded.step
            if isinstance(step, Resumed):
                if not await self._take_over(played, context, recorded, steps[:number]):
                    return
            else:
                played.compare(recorded)
            played.run.apply(step)
        played.compare_end(self._closings.get((order.task_id, order.attempt)))

    async def _take_over(
        self, played: _Attempt, context: WorkContext, recorded: RecordedStep, before: Sequence[RecordedStep]
    ) -> bool:
        assert isinstance(recorded.step, Resumed)
        ref = recorded.step.setup_ref
        data = self._history.objects.get(ref)
        if data is None:
            self.missing[f"setup {ref or '(not recorded)'} of {played.run_id.prefix}"] = None
            return False
        setup = decode_setup(data)
        for part in differing_setup(setup, context, self._history.objects.get(setup.agent_file)):
            played.differs("setup", recorded.seq, part.what, part.recorded, part.replayed)
        played.begin(setup)
        for order, steps in self._earlier(played.order):
            await self._begin(played.run, order)
            for earlier in steps:
                played.run.apply(earlier.step)
        await self._begin(played.run, played.order)
        for earlier in before:
            played.run.apply(earlier.step)
        return True

    async def _begin(self, run: Run, order: TaskEnqueued) -> None:
        context = await self._context(order)
        answered = context.answered if context is not None else None
        if order.resumes or answered is not None:
            run.resume_in(answered=answered, changed=[await self._exact.text(line) for line in order.changed])

    async def _context(self, order: TaskEnqueued) -> WorkContext | None:
        data = self._history.objects.get(order.context_ref)
        return None if data is None else decode_context(await self._exact.body(data))

    def _earlier(self, order: TaskEnqueued) -> Iterator[tuple[TaskEnqueued, Sequence[RecordedStep]]]:
        """The attempts from which this one goes on, the oldest first."""
        parts: list[TaskEnqueued] = []
        attempt, after = order.resumes, order.attempt
        while attempt < after and (part := self._by_run.get((order.task_id, attempt))) is not None:
            parts.insert(0, part)
            attempt, after = part.resumes, attempt
        for part in parts:
            run_id = RunId(self._history.goal_id, part.task_id, part.attempt)
            yield part, self._history.runs.get(run_id, ())


class _Attempt:
    """One attempt as it is played: what the run would do next stands against what was recorded."""

    def __init__(self, runs: _Runs, order: TaskEnqueued, run_id: RunId) -> None:
        self.order = order
        self.run_id = run_id
        self.run = Run("", ENDINGS)
        self._runs = runs
        self._setup: RunSetup | None = None
        self._bounds = Bounds(repairs=REPAIRS)
        self._is_new_holder = False

    def begin(self, setup: RunSetup) -> None:
        """Another holder takes the run over."""
        self.run = Run(setup.first, ENDINGS)
        self._setup = setup
        self._bounds = Bounds(max_turns=setup.max_turns or Bounds(repairs=REPAIRS).max_turns, repairs=REPAIRS)

    def compare(self, recorded: RecordedStep) -> None:
        """The next step, before it is taken in."""
        step = recorded.step
        if self._follows(step):
            return
        self._runs.moves += 1
        move = next_step(self.run, self._bounds)
        if not _is_made_by(step, move):
            self.differs("move", recorded.seq, step_kind(step), _json(step), _words(move))
        if isinstance(step, TurnIntent):
            self._request(recorded.seq, step)

    def _follows(self, step: Step) -> bool:
        """Whether the step was no move of the run: an answer to one, a person's note, or somebody else's end."""
        if isinstance(step, Nudge):
            return step.note_seq > 0
        if isinstance(step, ToolReceipt):
            opened = self.run.open_call
            return opened is not None and not (step.text == INTERRUPTED and opened.name not in CONTROL)
        return not isinstance(step, TurnIntent | ToolIntent)

    def _request(self, seq: int, step: TurnIntent) -> None:
        assert self._setup is not None
        self._runs.requests += 1
        request = ModelRequest(
            model=self._setup.model,
            system=self._setup.system,
            messages=self.run.messages,
            tools=self._setup.tools,
            max_tokens=self._setup.max_tokens,
        )
        replayed = request_hash(request)
        if replayed != step.request_hash:
            self.differs("request", seq, f"turn {step.turn}", step.request_hash, replayed)

    def compare_end(self, closing: Event | None) -> None:
        """What the run would do after its last step, against the event that closed the attempt."""
        if closing is None or (self.run.closed and not self.run.answers):
            return
        closed, self.run.closed = self.run.closed, ""
        move = next_step(self.run, self._bounds)
        self.run.closed = closed
        if not _ends_as(closing, move):
            self.differs("outcome", 0, closing.type, _json(closing), _words(move))

    def differs(self, kind: DivergenceKind, seq: int, what: str, recorded: str, replayed: str) -> None:
        """Note a difference."""
        self._runs.differences.append(
            Divergence(
                kind=kind, seq=seq, where=self.run_id.prefix, what=what, recorded=recorded, replayed=replayed
            )
        )


def _is_made_by(step: Step, move: NextStep) -> bool:
    match step, move:
        case TurnIntent(turn=turn, tries=tries), CallModel():
            return (turn, tries) == (move.turn, move.tries)
        case ToolIntent(), RunTool(call=call):
            return step.tool_use_id == call.tool_use_id and step.name == call.name
        case ToolReceipt(), RunTool(call=call):
            # A call of a control tool that was refused has a receipt alone.
            return step.is_error and step.tool_use_id == call.tool_use_id and call.name in CONTROL
        case ToolReceipt(), TellInterrupted(intent=intent):
            return step.tool_use_id == intent.tool_use_id
        case Nudge(text=text), Say():
            return text == move.text
        case _:
            return False


def _ends_as(closing: Event, move: NextStep) -> bool:
    """Whether this end can follow; one that came from outside (cancelled, timed out, parked) always can."""
    is_end = isinstance(move, RunTool) and move.call.name in ENDINGS
    match closing:
        case TaskCompleted():
            return is_end
        case AgentBlocked(reason="loop"):
            return isinstance(move, GetHelp) and _same_words(closing.question, move.question)
        case AgentBlocked(reason="question"):
            return is_end
        case TaskFailed() if isinstance(move, Fail):
            return closing.failure_class == move.failure_class and _same_words(closing.reason, move.reason)
        case _:
            return not isinstance(move, Fail | GetHelp) or closing.type in _FROM_OUTSIDE


_FROM_OUTSIDE = frozenset({"task.cancelled", "task.timed_out", "task.parked", "task.failed"})


def _same_words(recorded: str, replayed: str) -> bool:
    """Whether a text of the log is this one; what was masked on its way into the log may be anything."""
    return recorded == replayed or MASK in recorded or "[redacted:" in recorded


def _words(move: NextStep) -> str:
    return f"{type(move).__name__} {_json(move)}"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode(errors="replace")
