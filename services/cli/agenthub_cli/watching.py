"""Following one goal live, as lines for people or as events for programs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import msgspec

from agenthub_cli import exit_codes
from agenthub_cli.errors import CommandFailed, HubUnreachable
from agenthub_cli.hub import Frame, Hub
from agenthub_cli.show import print_json, program
from agenthub_events.codec import decode
from agenthub_events.ports import Recorded
from agenthub_runtime.lines import Line, Narrator, format_line

_PAUSE_S = 0.5
_PATIENCE_S = 30.0

# After these something may have begun to wait for a person, or to have ended.
_TURNING = ("agent.", "gate.", "goal.", "task.completed", "task.cancelled", "task.skipped", "task.parked")

EXIT: dict[str, int] = {
    "ready_for_review": exit_codes.OK,
    "completed": exit_codes.OK,
    "failed": exit_codes.FAILED,
    "cancelled": exit_codes.FAILED,
    "awaiting_human": exit_codes.BLOCKED,
    "paused": exit_codes.BLOCKED,
}


class Story:
    """Prints a goal's lines in order; tasks that are enqueued together share one."""

    def __init__(self, *, json: bool = False) -> None:
        self._narrator = Narrator()
        self._json = json
        self._pending: Line | None = None

    def take(self, frame: Frame) -> Recorded:
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

    def flush(self) -> None:
        """Print what was held back for more of its kind."""
        self._print()
        self._narrator.cut()

    def _print(self) -> None:
        if self._pending is not None:
            local = msgspec.structs.replace(self._pending, time=self._pending.time.astimezone())
            print(format_line(local), flush=True)
            self._pending = None


def watch_goal(hub: Hub, goal_id: str, *, json: bool = False, timeout_s: float | None = None) -> int:
    """Follow a goal until it is finished or waits for a person; returns the exit code."""
    goal = follow_to_rest(hub, goal_id, Story(json=json), timeout_s=timeout_s)
    if not json:
        print(next_step(goal))
    return EXIT[goal["status"]]


def follow_to_rest(hub: Hub, goal_id: str, story: Story, *, timeout_s: float | None = None) -> dict[str, Any]:
    """Tell a goal's story until it rests, and return the goal.

    A connection that breaks is taken up again behind the last event seen. Raises `CommandFailed` when the time
    is over or the hub stays away.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    last_id = ""
    missing_since: float | None = None
    while True:
        try:
            with hub.stream(goal=goal_id, last_id=last_id, start=None if last_id else 0) as frames:
                for frame in _until(frames, deadline, goal_id):
                    missing_since = None
                    last_id = frame.id or last_id
                    goal = _step(hub, goal_id, story, frame)
                    if goal is not None:
                        story.flush()
                        return goal
        except HubUnreachable:
            missing_since = missing_since or time.monotonic()
            if time.monotonic() - missing_since > _PATIENCE_S:
                raise
        time.sleep(_PAUSE_S)


def _step(hub: Hub, goal_id: str, story: Story, frame: Frame) -> dict[str, Any] | None:
    if frame.event == "ping":
        story.flush()
    if not frame.data or not frame.id:
        return None
    recorded = story.take(frame)
    kind = recorded.subject.split(".", 3)[3]
    if not kind.startswith(_TURNING):
        return None
    goal: dict[str, Any] = hub.get(f"/goals/{goal_id}", after=recorded.seq)
    return goal if _rests(goal, kind, recorded.seq) else None


def _rests(goal: dict[str, Any], kind: str, seq: int) -> bool:
    """Whether the goal rests and the event that brought it to rest has been told."""
    match goal["status"]:
        case "ready_for_review":
            return bool(goal["ready_seq"] <= seq)
        case "awaiting_human":
            return True
        case status:
            return status in EXIT and kind == f"goal.{status}"


def _until(frames: Iterator[Frame], deadline: float | None, goal_id: str) -> Iterator[Frame]:
    for frame in frames:
        if deadline is not None and time.monotonic() > deadline:
            raise CommandFailed(
                f"Goal {goal_id} did not come to rest in time",
                hint=f"go on watching with `agenthub goal watch {goal_id}`",
                code=exit_codes.TIMED_OUT,
            )
        yield frame


def next_step(goal: dict[str, Any]) -> str:
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
    }
    return words[goal["status"]]
