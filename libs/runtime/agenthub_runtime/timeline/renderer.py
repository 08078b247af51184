"""The story of a goal in plain lines: `[09:20:45] Worker-3 (testing): 2 tests failed`.

`line_of` tells of one event. A `TimelineRenderer` follows a goal and knows what led to what, so that it can say
`Tests passed, enqueuing: gate-security-1` and put tasks that are enqueued together on one line.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from agenthub_events.base import Event
from agenthub_events.catalogue import gate as v
from agenthub_events.catalogue import goal as g
from agenthub_events.catalogue import task as t
from agenthub_events.ports import Recorded
from agenthub_events.redaction import as_shown
from agenthub_events.serialization.codec import Unreadable
from agenthub_events.task_ids import kind_of
from agenthub_runtime.timeline.phrases import (
    ORCHESTRATOR,
    WORDS,
    Names,
    lead_after,
    lead_after_verdict,
    name_of,
    worker_name,
)

TEXT_MAX = 240


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the story. `seq` is the first event that it tells of, `last_seq` the last.

    A line whose `seq` has been told before replaces the earlier one: more was enqueued in the same moment.
    """

    seq: int
    last_seq: int
    time: datetime
    component: str
    text: str


def format_line(line: Line) -> str:
    """`[HH:MM:SS] Component: text`, in the time zone of the line's time."""
    return f"[{line.time:%H:%M:%S}] {line.component}: {line.text}"


def line_of(recorded: Recorded, names: Names) -> Line | None:
    """What one event says to people; None when it says nothing to them.

    `names` maps task ids to the names that people know; an id without a name stands for itself.
    """
    event = recorded.event
    if isinstance(event, Unreadable):
        return None
    words = WORDS.get(type(event))
    if words is None:
        return None
    told = words(event, names)
    if told is None:
        return None
    component, text = told
    return _line(recorded, event.timestamp, component, text)


class TimelineRenderer:
    """Tells a goal's story event by event, in the order of the log; a pure function of what it was fed."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self._closed = ""
        self._lead = ""
        self._enqueued: list[str] = []
        self._claimed: dict[str, int] = {}
        self._open: Line | None = None
        self._open_lead = ""

    def tell(self, recorded: Recorded) -> Line | None:
        """The line that the event adds or changes, if any."""
        event = recorded.event
        if isinstance(event, g.GoalPlanned):
            self.names.update((task.task_id, task.key) for task in event.tasks)
        elif isinstance(event, g.GoalReplanned):
            self.names.update((task.task_id, task.key) for task in event.added)
        if isinstance(event, t.TaskEnqueued):
            return self._enqueue(recorded, event)
        line = line_of(recorded, self.names)
        if isinstance(event, t.TaskStarted):
            line = self._start(recorded, event) or line
        if line is not None:
            self._open = None
        if isinstance(event, Event):
            self._remember(event)
        return line

    def cut(self) -> None:
        """Let the next enqueued task begin a line of its own: what was told so far has been printed."""
        self._open = None

    def _start(self, recorded: Recorded, event: t.TaskStarted) -> Line | None:
        """A second claim of an attempt is a take-over; a higher delivery alone is none."""
        if self._claimed.get(event.task_id) == event.attempt:
            text = f"Took over task {name_of(event.task_id, self.names)}"
            return _line(recorded, event.timestamp, worker_name(event.worker, event.agent), text)
        self._claimed[event.task_id] = event.attempt
        return None

    def _enqueue(self, recorded: Recorded, event: t.TaskEnqueued) -> Line:
        lead = self._lead_of(event)
        name = name_of(event.task_id, self.names)
        if event.attempt > 1:
            name = f"{name} (attempt {event.attempt})"
        before = self._open
        if before is not None and lead == self._open_lead:
            self._enqueued.append(name)
            line = msgspec.structs.replace(before, last_seq=recorded.seq, text=self._text(lead))
        else:
            self._enqueued = [name]
            line = _line(recorded, event.timestamp, ORCHESTRATOR, self._text(lead))
        self._open, self._open_lead = line, lead
        return line

    def _text(self, lead: str) -> str:
        names = ", ".join(self._enqueued)
        return _clip(f"{lead}, enqueuing: {names}" if lead else f"Enqueued tasks: {names}")

    def _lead_of(self, event: t.TaskEnqueued) -> str:
        led = event.attempt == 1 and (
            self._closed in event.depends_on or kind_of(event.task_id) in ("gate", "debug", "fix", "merge")
        )
        return self._lead if led else ""

    def _remember(self, event: Event) -> None:
        match event:
            case t.TaskCompleted():
                self._closed, self._lead = event.task_id, lead_after(event, self.names)
            case v.GatePassed() | v.GateFailed():
                self._closed, self._lead = event.task_id, lead_after_verdict(event)
            case t.MergeConflicted():
                self._closed, self._lead = event.task_id, "Conflict found"
            case g.GoalReplanned() if event.cause and event.cause == self._closed:
                pass  # the change follows from what was told last, and so does what it enqueues
            case g.GoalPlanned() | g.GoalReplanned() | g.GoalReworkRequested():
                self._closed, self._lead = "", ""
            case _:
                pass


def _line(recorded: Recorded, time: datetime, component: str, text: str) -> Line:
    return Line(seq=recorded.seq, last_seq=recorded.seq, time=time, component=component, text=_clip(text))


def _clip(text: str) -> str:
    flat = " ".join(as_shown(text).split())
    return flat if len(flat) <= TEXT_MAX else f"{flat[: TEXT_MAX - 1]}…"
