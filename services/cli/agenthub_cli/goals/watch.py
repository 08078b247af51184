"""Following one goal live, as lines for people or as events for programs."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from agenthub_cli import exit_codes
from agenthub_cli.client.hub_client import IDLE, PING, HubClient, ServerSentEvent
from agenthub_cli.errors import CommandFailed, HubUnreachable
from agenthub_cli.terminal.output import print_json, program, say
from agenthub_events.ports import Recorded
from agenthub_events.serialization.codec import decode
from agenthub_runtime.timeline.renderer import Line, TimelineRenderer, format_line

_PAUSE_S = 0.5
_PATIENCE_S = 30.0
# A line that may still grow is held back for so long.
_BATCH_S = 0.5
_SILENCE_S = 5.0
_SILENCE_MAX_S = 60.0

# After these something may have begun to wait for a person, or to have ended.
_TURNING = ("agent.", "gate.", "goal.", "task.completed", "task.cancelled", "task.skipped", "task.parked")

# The states in which a goal rests: the exit code, and the events that bring it there.
_RESTS: dict[str, tuple[int, tuple[str, ...]]] = {
    "ready_for_review": (exit_codes.OK, ("goal.ready_for_review",)),
    "completed": (exit_codes.OK, ("goal.completed",)),
    "failed": (exit_codes.FAILED, ("goal.failed",)),
    "cancelled": (exit_codes.FAILED, ("goal.cancelled",)),
    "awaiting_human": (exit_codes.BLOCKED, ("agent.blocked",)),
    "paused": (exit_codes.BLOCKED, ("goal.paused",)),
    "workflow_generated": (exit_codes.BLOCKED, ("goal.planned", "goal.replanned")),
}


class TimelinePrinter:
    """Prints a goal's lines in order; tasks that are enqueued together share one."""

    def __init__(self, *, json: bool = False) -> None:
        self._narrator = TimelineRenderer()
        self._json = json
        self._pending: Line | None = None

    def take(self, frame: ServerSentEvent) -> Recorded:
        """Tell one event."""
        body = msgspec.json.decode(frame.data)
        recorded = Recorded(
            seq=body["sequence"], subject=body["subject"], event=decode(msgspec.json.encode(body["event"]))
        )
        if self._json:
            print_json(body)
            return recorded
        line = self._narrator.tell(recorded)
        if line is not None:
            if self._pending is not None and self._pending.seq != line.seq:
                self._print()
            self._pending = line
        return recorded

    def know(self, tasks: Iterable[dict[str, Any]]) -> None:
        """Learn the names of tasks whose plan came up before the story begins."""
        self._narrator.names.update((task["task_id"], task["key_name"]) for task in tasks if task["key_name"])

    def remark(self, text: str) -> None:
        """Say something that is no event."""
        say(text, aside=self._json)

    def flush(self) -> None:
        """Print what was held back for more of its kind."""
        self._print()
        self._narrator.cut()

    def _print(self) -> None:
        if self._pending is not None:
            local = msgspec.structs.replace(self._pending, time=self._pending.time.astimezone())
            say(format_line(local))
            self._pending = None


class _Rest:
    """Finds out when a goal has come to rest, and whether its story has been told up to there."""

    def __init__(self, hub: HubClient, goal_id: str) -> None:
        self._hub = hub
        self._goal_id = goal_id
        self._goal: dict[str, Any] | None = None
        self._seq: int | None = None

    def at(self, start: int) -> dict[str, Any] | None:
        """The goal, when it rests and nothing has happened behind `start`."""
        goal = self._look(start)
        return goal if self._seq is not None and goal["last_seq"] <= start else None

    def after(self, recorded: Recorded) -> dict[str, Any] | None:
        """The goal, when it rests and the event is the one that brought it there, or a later one."""
        kind = recorded.subject.split(".", 3)[3]
        if kind.startswith(_TURNING) and (self._goal is None or self._goal["last_seq"] < recorded.seq):
            self._look(recorded.seq)
        return self._goal if self._seq is not None and self._seq <= recorded.seq else None

    def _look(self, seq: int) -> dict[str, Any]:
        goal: dict[str, Any] = self._hub.get(f"/goals/{self._goal_id}", after=seq)
        self._goal, self._seq = goal, None
        if goal["status"] in _RESTS and (goal["status"] != "workflow_generated" or waits_for_approval(goal)):
            _, types = _RESTS[goal["status"]]
            events = self._hub.pages(f"/goals/{self._goal_id}/events", type=list(types))
            self._seq = max((event["sequence"] for event in events), default=0)
        return goal


class _Silence:
    """Says what it may mean when nothing happens: orders for agents that nobody runs."""

    def __init__(self, hub: HubClient, goal_id: str, story: TimelinePrinter) -> None:
        self._hub = hub
        self._goal_id = goal_id
        self._story = story
        self._reported: set[str] = set()
        self.ends()

    def ends(self) -> None:
        """Something has happened."""
        self._pause_s = _SILENCE_S
        self._due = time.monotonic() + self._pause_s

    def lasts(self) -> None:
        """Nothing has happened for another moment."""
        if time.monotonic() < self._due:
            return
        self._pause_s = min(2 * self._pause_s, _SILENCE_MAX_S)
        self._due = time.monotonic() + self._pause_s
        try:
            reasons = self._hub.get(f"/goals/{self._goal_id}").get("why", ())
        except CommandFailed:
            return
        for words in reasons:
            if words not in self._reported:
                self._reported.add(words)
                self._story.remark(words)


def watch_goal(
    hub: HubClient, goal_id: str, *, json: bool = False, timeout_s: float | None = None, start: int = 0
) -> int:
    """Follow a goal until it is finished or waits for a person; returns the exit code."""
    goal = follow_to_rest(hub, goal_id, TimelinePrinter(json=json), timeout_s=timeout_s, start=start)
    if not json:
        say(next_command(goal))
    return _RESTS[goal["status"]][0]


def beginning(hub: HubClient, goal_id: str, given: str | None) -> int:
    """Behind which sequence to begin: `given` is a number, `now`, or None for the goal's first event.

    Raises `CommandFailed` when there is no such beginning.
    """
    if given is None:
        return 0
    if given == "now":
        return int(hub.get(f"/goals/{goal_id}")["last_seq"])
    if given.isdecimal():
        return int(given)
    raise CommandFailed(
        f"`{given}` is no beginning", hint="give the sequence of an event, or `now`", code=exit_codes.USAGE
    )


def follow_to_rest(
    hub: HubClient,
    goal_id: str,
    story: TimelinePrinter,
    *,
    timeout_s: float | None = None,
    start: int = 0,
) -> dict[str, Any]:
    """Tell a goal's story behind sequence `start` until it rests, and return the goal.

    A connection that breaks is taken up again behind the last event seen. Raises `CommandFailed` when the time
    is over or the hub stays away.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    rest, silence = _Rest(hub, goal_id), _Silence(hub, goal_id, story)
    if start:
        if (goal := rest.at(start)) is not None:
            return goal
        story.know(hub.pages(f"/goals/{goal_id}/tasks"))
    last_id = ""
    missing_since: float | None = None
    while True:
        try:
            with hub.stream(
                goal=goal_id, last_id=last_id, start=None if last_id else start, idle_s=_BATCH_S
            ) as frames:
                for frame in _until(frames, deadline, goal_id):
                    if frame in (IDLE, PING):
                        story.flush()
                        silence.lasts()
                        continue
                    missing_since = None
                    last_id = frame.id or last_id
                    silence.ends()
                    goal = rest.after(story.take(frame)) if frame.id else None
                    if goal is not None:
                        story.flush()
                        return goal
        except HubUnreachable:
            missing_since = missing_since or time.monotonic()
            if time.monotonic() - missing_since > _PATIENCE_S:
                raise
        time.sleep(_PAUSE_S)


def _until(frames: Iterator[ServerSentEvent], deadline: float | None, goal_id: str) -> Iterator[ServerSentEvent]:
    for frame in frames:
        if deadline is not None and time.monotonic() > deadline:
            raise CommandFailed(
                f"Goal {goal_id} did not come to rest in time",
                hint=f"go on watching with `agenthub goal watch {goal_id}`",
                code=exit_codes.TIMED_OUT,
            )
        yield frame


def waits_for_approval(goal: dict[str, Any]) -> bool:
    """Whether a person has to approve the goal's plan before anything begins."""
    return bool(
        goal["needs_you"] and goal["autonomy"] == "approve_plan" and goal["revision"] and not goal["plan_approved"]
    )


def follow_command(answer: dict[str, Any]) -> str:
    """How to follow a goal from a command on, which the hub has answered like this."""
    return f"{program()} goal watch {answer['goal_id']} --from {answer['sequence'] - 1}"


def next_command(goal: dict[str, Any]) -> str:
    """What a person can do with a goal that rests."""
    goal_id, agenthub = goal["goal_id"], program()
    words = {
        "ready_for_review": f"Ready for review. Look: {agenthub} goal pull {goal_id}   "
        f'Accept: {agenthub} goal approve {goal_id}   Ask for changes: {agenthub} goal rework {goal_id} "…"',
        "completed": f"Completed. The result: {agenthub} goal pull {goal_id}",
        "failed": f"Failed. What happened: {agenthub} events show {goal_id}",
        "cancelled": "Cancelled.",
        "awaiting_human": f"Waits for you: {agenthub} inbox",
        "paused": f"Paused. Go on: {agenthub} goal resume {goal_id}",
        "workflow_generated": f"Approve the plan: {agenthub} goal approve-plan {goal_id}   "
        f"Look at it first: {agenthub} goal show {goal_id}",
    }
    return words[goal["status"]]
