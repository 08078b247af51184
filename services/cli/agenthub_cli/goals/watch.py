"""Following one goal live: as a tree or lines for people, or as events for programs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from agenthub_cli import exit_codes
from agenthub_cli.client.hub_client import IDLE, PING, HubClient, ServerSentEvent
from agenthub_cli.errors import CommandFailed, HubUnreachable, ReadModelsBehind
from agenthub_cli.goals.asking import answered_here
from agenthub_cli.goals.live_story import LiveStory
from agenthub_cli.goals.next_step import RESTS, next_command, waits_for_approval
from agenthub_cli.goals.story import Narration, TimelinePrinter
from agenthub_cli.terminal.output import say
from agenthub_cli.terminal.style import moves_cursor
from agenthub_events.ports import Recorded

_PAUSE_S = 0.5
_PATIENCE_S = 30.0
# A line that may still grow is held back for so long.
_BATCH_S = 0.5
_SILENCE_S = 5.0
_SILENCE_MAX_S = 60.0
# Events that read models lack are few; of so many one turns the goal.
_LOOKED_AT = 100

# After these something may have begun to wait for a person, or to have ended.
_TURNING = ("agent.", "gate.", "goal.", "task.completed", "task.cancelled", "task.skipped", "task.parked")


class _Rest:
    """Finds out when a goal has come to rest, and whether its story has been told up to there."""

    def __init__(self, hub: HubClient, goal_id: str) -> None:
        self._hub = hub
        self._goal_id = goal_id
        self._goal: dict[str, Any] | None = None
        self._seq: int | None = None
        self._unknown = 0

    def at(self, start: int) -> dict[str, Any] | None:
        """The goal, when it rests and nothing has happened behind `start`."""
        # The log is asked: what a command has just written there the read models may not know yet.
        if self._hub.get(f"/goals/{self._goal_id}/events", cursor=str(start), limit=1)["items"]:
            return None
        goal = self._look(start)
        return goal if self._seq is not None and goal["last_seq"] <= start else None

    def after(self, recorded: Recorded) -> dict[str, Any] | None:
        """The goal, when it rests and the event is the one that brought it there, or a later one."""
        kind = recorded.subject.split(".", 3)[3]
        if kind.startswith(_TURNING) and (self._goal is None or self._goal["last_seq"] < recorded.seq):
            return self._rest_by(recorded.seq)
        return self._goal if self._seq is not None and self._seq <= recorded.seq else None

    def again(self) -> dict[str, Any] | None:
        """The same for the last event that the read models did not know yet when it came."""
        return self._rest_by(self._unknown) if self._unknown else None

    def _rest_by(self, seq: int) -> dict[str, Any] | None:
        try:
            self._look(seq)
        except ReadModelsBehind:
            self._goal, self._seq, self._unknown = None, None, seq
            return None
        self._unknown = 0
        return self._goal if self._seq is not None and self._seq <= seq else None

    def _look(self, seq: int) -> dict[str, Any]:
        goal: dict[str, Any] = self._hub.get(f"/goals/{self._goal_id}", after=seq)
        self._goal, self._seq = goal, None
        rests = goal["status"] in RESTS and (goal["status"] != "workflow_generated" or waits_for_approval(goal))
        if rests and not self._has_turned_behind(goal["last_seq"]):
            _, types = RESTS[goal["status"]]
            events = self._hub.pages(f"/goals/{self._goal_id}/events", type=list(types))
            self._seq = max((event["sequence"] for event in events), default=0)
        return goal

    def _has_turned_behind(self, last_seq: int) -> bool:
        """Whether the log has something that the read models do not know yet, after which it may go on."""
        behind = self._hub.get(f"/goals/{self._goal_id}/events", cursor=str(last_seq), limit=_LOOKED_AT)["items"]
        return any(event["type"].startswith(_TURNING) for event in behind)


class _Silence:
    """Says what it may mean when nothing happens: orders for agents that nobody runs."""

    def __init__(self, hub: HubClient, goal_id: str, story: Narration) -> None:
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
    hub: HubClient,
    goal_id: str,
    *,
    json: bool = False,
    lines: bool = False,
    verbose: bool = False,
    timeout_s: float | None = None,
    start: int = 0,
) -> int:
    """Follow a goal until it is finished or waits for a person; returns the exit code.

    On a terminal it is a tree, unless `lines` are wanted, and a question may be answered there.
    """
    live = moves_cursor() and not json and not lines
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    try:
        while True:
            story: Narration = (
                LiveStory(hub, goal_id, verbose=verbose) if live else TimelinePrinter(json=json, verbose=verbose)
            )
            try:
                goal = _followed(hub, goal_id, story, deadline=deadline, start=start, tools=live or verbose)
            finally:
                story.end()
            if json or goal["status"] != "awaiting_human":
                break
            after = answered_here(hub, goal_id)
            if after is None:
                break
            start = after
    except KeyboardInterrupt:
        say(f"\nThe goal goes on without you. Come back: {hub.command(f'goal watch {goal_id}')}", aside=json)
        return exit_codes.INTERRUPTED
    if not json:
        say(next_command(hub, goal))
    return RESTS[goal["status"]][0]


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
    story: Narration,
    *,
    timeout_s: float | None = None,
    start: int = 0,
) -> dict[str, Any]:
    """Tell a goal's story behind sequence `start` until it rests, and return the goal.

    A connection that breaks is taken up again behind the last event seen. Raises `CommandFailed` when the time
    is over or the hub stays away.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    return _followed(hub, goal_id, story, deadline=deadline, start=start)


def _followed(
    hub: HubClient, goal_id: str, story: Narration, *, deadline: float | None, start: int, tools: bool = False
) -> dict[str, Any]:
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
                goal=goal_id, last_id=last_id, start=None if last_id else start, idle_s=_BATCH_S, runs=tools
            ) as frames:
                for frame in _until(frames, deadline, hub, goal_id):
                    if frame not in (IDLE, PING):
                        missing_since = None
                    last_id = frame.id or last_id
                    goal = _told(frame, story, rest, silence)
                    if goal is not None:
                        return goal
        except HubUnreachable:
            missing_since = missing_since or time.monotonic()
            if time.monotonic() - missing_since > _PATIENCE_S:
                raise
        time.sleep(_PAUSE_S)


def _told(frame: ServerSentEvent, story: Narration, rest: _Rest, silence: _Silence) -> dict[str, Any] | None:
    """Tell what a frame of the stream says; the goal, when it rests with that."""
    if frame in (IDLE, PING):
        story.flush()
        silence.lasts()
        return rest.again()
    silence.ends()
    if not frame.id:
        story.glimpse(frame)
        return None
    goal = rest.after(story.take(frame))
    if goal is not None:
        story.flush()
    return goal


def _until(
    frames: Iterator[ServerSentEvent], deadline: float | None, hub: HubClient, goal_id: str
) -> Iterator[ServerSentEvent]:
    for frame in frames:
        if deadline is not None and time.monotonic() > deadline:
            raise CommandFailed(
                f"Goal {goal_id} did not come to rest in time",
                hint=f"go on watching with `{hub.command(f'goal watch {goal_id}')}`",
                code=exit_codes.TIMED_OUT,
            )
        yield frame
