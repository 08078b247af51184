"""The story of all goals, line by line, as it happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from agenthub_cli.client.hub_client import IDLE, PING, HubClient, ServerSentEvent
from agenthub_cli.errors import CommandFailed, HubUnreachable
from agenthub_cli.goals.story import TimelinePrinter

_PAUSE_S = 0.5
_PATIENCE_S = 30.0
# A line that may still grow is held back for so long.
_BATCH_S = 0.5


def follow_all(hub: HubClient, start: int | None = None) -> None:
    """Tell what happens to every goal behind sequence `start` (None: from now on), until Ctrl-C.

    A connection that breaks is taken up again behind the last event seen. Raises `HubUnreachable` when the hub
    stays away.
    """
    stories: dict[str, TimelinePrinter] = {}
    last_id = ""
    missing_since: float | None = None
    while True:
        try:
            with hub.stream(last_id=last_id, start=None if last_id else start, idle_s=_BATCH_S) as frames:
                for seen in _told(hub, frames, stories):
                    last_id, missing_since = seen, None
        except HubUnreachable:
            missing_since = missing_since or time.monotonic()
            if time.monotonic() - missing_since > _PATIENCE_S:
                raise
        time.sleep(_PAUSE_S)


def _told(hub: HubClient, frames: Iterator[ServerSentEvent], stories: dict[str, TimelinePrinter]) -> Iterator[str]:
    """Tell each frame, and give its id."""
    for frame in frames:
        if frame in (IDLE, PING):
            for story in stories.values():
                story.flush()
        elif frame.id:
            _tell(hub, frame, stories)
            yield frame.id


def _tell(hub: HubClient, frame: ServerSentEvent, stories: dict[str, TimelinePrinter]) -> None:
    goal_id = str(msgspec.json.decode(frame.data)["goal_id"])
    for told, other in stories.items():
        if told != goal_id:
            # A line of another goal would stand behind what has happened since.
            other.flush()
    story = stories.get(goal_id)
    if story is None:
        story = stories[goal_id] = TimelinePrinter()
        with suppress(CommandFailed):  # a goal that begins, and the hub itself, have no tasks to know
            story.know(hub.pages(f"/goals/{goal_id}/tasks"))
    story.take(frame)
