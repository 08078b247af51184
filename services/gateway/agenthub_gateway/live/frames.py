"""Frames of the live feed: what a listener gets for a message of the log.

Every frame is one JSON object with a `type`. A frame of an event carries its `sequence`; frames made on the way,
such as `intervention_required`, carry none and stand before the event that caused them, so that a listener who
comes back after a break gets them again rather than never.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from agenthub_events.catalogue import REGISTRY
from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.errors import InvalidInput, InvalidSubject
from agenthub_events.notifications.interventions import (
    INTERVENTION,
    BlockedTask,
    InterventionRequired,
    blocker_reason,
)
from agenthub_events.ports import EventLog, Recorded
from agenthub_events.serialization.codec import Unreadable, encode
from agenthub_events.subjects import parse_subject
from agenthub_gateway.live.authors import TaskTypes
from agenthub_runtime.titles import title_of

RESET = "reset"
OUTPUT = "run.output"
ALIASES = {
    "agent.blocked": "task.blocked",
    "goal.completed": "workflow.finished",
    "goal.failed": "workflow.finished",
}
"""Further names of events, under which readers of the first design know them."""

_TITLES_KEPT = 2_000


class EventView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A message of the log as the API shows it. `event` is null when nobody can read the body."""

    sequence: int
    type: str
    goal_id: str
    task_id: str
    subject: str
    event: msgspec.Raw
    aliases: tuple[str, ...] = ()
    unreadable: str = ""


class Frame(msgspec.Struct, frozen=True):
    """A frame, ready to be sent. `name` is its type; `sequence` is None for what is no event."""

    name: str
    goal_id: str
    sequence: int | None
    data: bytes
    alias: str = ""


class Filter(msgspec.Struct, frozen=True):
    """Which frames a listener wants: of one goal, or of some types; what is None does not matter."""

    goal_id: str | None = None
    types: frozenset[str] | None = None

    def name_for(self, frame: Frame) -> str | None:
        """Under which of its names the listener wants the frame; None when it does not."""
        if self.goal_id is not None and frame.goal_id != self.goal_id:
            return None
        if self.types is None or frame.name in self.types:
            return frame.name
        return frame.alias if frame.alias in self.types else None


def known_types() -> list[str]:
    """Every type that a listener may ask for."""
    return sorted({*REGISTRY, *ALIASES.values(), INTERVENTION})


def parse_types(texts: Iterable[str]) -> frozenset[str] | None:
    """The types of a filter, each text may name several with commas. Raises `InvalidInput` for an unknown one."""
    names = {name.strip() for text in texts for name in text.split(",") if name.strip()}
    for name in sorted(names - set(known_types())):
        raise InvalidInput(
            f"`{name[:60]}` is no type of the feed; known are: {', '.join(known_types())}", field="type"
        )
    return frozenset(names) or None


def view_of(recorded: Recorded) -> EventView:
    """A message as the API shows it."""
    goal_id, task_id, kind = _place(recorded.subject)
    event = recorded.event
    if isinstance(event, Unreadable):
        return EventView(
            sequence=recorded.seq,
            type=kind,
            goal_id=goal_id,
            task_id=task_id,
            subject=recorded.subject,
            event=msgspec.Raw(b"null"),
            unreadable=event.reason,
        )
    return EventView(
        sequence=recorded.seq,
        type=event.type,
        goal_id=goal_id,
        task_id=task_id,
        subject=recorded.subject,
        aliases=(ALIASES[event.type],) if event.type in ALIASES else (),
        event=msgspec.Raw(encode(event)),
    )


def renamed(frame: Frame, name: str) -> bytes:
    """The frame's data under another of its names."""
    if name == frame.name:
        return frame.data
    return msgspec.json.encode({**msgspec.json.decode(frame.data), "type": name})


def reset_frame(generation: str, sequence: int, reason: str) -> Frame:
    """Tells a listener that its place is not in this log: it must load everything anew."""
    body: dict[str, Any] = {"type": RESET, "generation": generation, "sequence": sequence, "reason": reason}
    return Frame(RESET, "", None, msgspec.json.encode(body))


class Framer:
    """Makes frames of messages; knows the titles of tasks that ask for a person."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._types = TaskTypes(log)
        self._titles: OrderedDict[str, str] = OrderedDict()

    async def frames(self, batch: Sequence[Recorded]) -> list[Frame]:
        """Frames of a batch, in its order; questions of one goal in one batch share one frame before them all.

        Foreign events have none.
        """
        batch = [recorded for recorded in batch if await self._types.takes(recorded)]
        blocked: dict[str, list[Recorded]] = {}
        for recorded in batch:
            if isinstance(recorded.event, AgentBlocked):
                blocked.setdefault(recorded.subject.split(".")[1], []).append(recorded)
        made: list[Frame] = []
        for recorded in batch:
            view = view_of(recorded)
            if isinstance(recorded.event, AgentBlocked) and (questions := blocked.pop(view.goal_id, None)):
                made.append(await self._intervention(view.goal_id, questions))
            alias = view.aliases[0] if view.aliases else ""
            made.append(Frame(view.type, view.goal_id, view.sequence, msgspec.json.encode(view), alias))
        return made

    async def _intervention(self, goal_id: str, questions: Collection[Recorded]) -> Frame:
        tasks = []
        for recorded in questions:
            event = recorded.event
            assert isinstance(event, AgentBlocked)
            task_id = parse_subject(recorded.subject).task_id
            title = await self._title(goal_id, task_id)
            tasks.append(BlockedTask(task_id, title, blocker_reason(event.question, event.error)))
        body = InterventionRequired(workflow_id=goal_id, blocked_tasks=tuple(tasks))
        return Frame(INTERVENTION, goal_id, None, msgspec.json.encode(body))

    async def _title(self, goal_id: str, task_id: str) -> str:
        key = f"{goal_id}.{task_id}"
        if key not in self._titles:
            self._titles[key] = await title_of(self._log, goal_id, task_id)
            while len(self._titles) > _TITLES_KEPT:
                self._titles.popitem(last=False)
        return self._titles[key]


def _place(subject: str) -> tuple[str, str, str]:
    try:
        place = parse_subject(subject)
    except InvalidSubject:
        return "", "", ""
    return place.goal_id, place.task_id, place.type
