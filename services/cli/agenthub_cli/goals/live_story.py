"""A goal's story as a tree that changes in place on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from agenthub_cli.client.hub_client import HubClient, ServerSentEvent
from agenthub_cli.errors import CommandFailed
from agenthub_cli.goals.story import TOOL, recorded_in, tool_words
from agenthub_cli.goals.tree import Seen, tree
from agenthub_cli.terminal.live import LiveLines
from agenthub_events.ports import Recorded

# Redrawn no faster than eyes follow, and read anew no faster than it pays.
_DRAW_S = 0.1
_READ_S = 0.25


class LiveStory:
    """Reads what changed and draws it; with `verbose`, every tool call stands above the tree for good."""

    def __init__(self, hub: HubClient, goal_id: str, *, verbose: bool = False) -> None:
        self._hub = hub
        self._goal_id = goal_id
        self._verbose = verbose
        self._lines = LiveLines()
        self._seen: Seen | None = None
        self._tools: dict[str, tuple[str, str]] = {}
        self._names: dict[str, str] = {}
        self._foot: list[str] = []
        self._seq = 0
        self._changed = True
        self._read_at = self._drawn_at = 0.0

    def take(self, frame: ServerSentEvent) -> Recorded:
        """An event: the tree is read anew, soon."""
        recorded = recorded_in(frame)
        self._seq, self._changed = recorded.seq, True
        self._foot.clear()
        self._draw()
        return recorded

    def glimpse(self, frame: ServerSentEvent) -> None:
        """A tool that begins or ends."""
        if frame.event == TOOL:
            told = msgspec.json.decode(frame.data)
            self._take_tool(told)
            self._draw()

    def know(self, tasks: Iterable[dict[str, Any]]) -> None:
        """The tree holds every name already."""

    def remark(self, text: str) -> None:
        """Say it below the tree, until something happens."""
        if text not in self._foot:
            self._foot.append(text)
            self._draw(now=True)

    def flush(self) -> None:
        """Draw the tree: times go on even when nothing happens."""
        self._draw(now=True)

    def end(self) -> None:
        """Leave the tree as it is."""
        self._lines.end()

    def _take_tool(self, told: dict[str, Any]) -> None:
        task_id, call = told["task_id"], told["call"]
        if told["state"] == "began":
            self._tools[task_id] = (call, tool_words(told))
        elif self._tools.get(task_id, ("", ""))[0] == call:
            del self._tools[task_id]
        if self._verbose and (told["state"] == "began" or told["is_error"]):
            name = self._names.get(task_id, task_id)
            words = tool_words(told) if told["state"] == "began" else f"{told['tool']} failed"
            self._lines.above(f"{datetime.now():%H:%M:%S}  {name}: {words}")

    def _draw(self, *, now: bool = False) -> None:
        moment = time.monotonic()
        if not now and moment - self._drawn_at < _DRAW_S:
            return
        if self._changed and (now or moment - self._read_at >= _READ_S):
            self._read()
        if self._seen is None:
            return
        self._drawn_at = moment
        columns, rows = self._lines.size
        seen = msgspec.structs.replace(
            self._seen, tools={task: words for task, (_, words) in self._tools.items()}, foot=self._foot
        )
        signs = "utf" in (sys.stdout.encoding or "").lower()
        self._lines.draw(tree(seen, datetime.now(UTC), columns=columns, rows=rows, signs=signs))

    def _read(self) -> None:
        """What the hub knows now; what cannot be read at the moment stays as it was drawn."""
        self._read_at = time.monotonic()
        goal = f"/goals/{self._goal_id}"
        try:
            self._seen = Seen(
                goal=self._hub.get(goal, after=self._seq or None),
                tasks=self._hub.get(f"{goal}/graph")["tasks"],
                attempts=self._hub.get(f"{goal}/attempts")["items"],
                gates=self._hub.get(f"{goal}/gates")["items"],
            )
        except CommandFailed:
            return
        self._changed = False
        self._names = {task["task_id"]: task["key_name"] or task["task_id"] for task in self._seen.tasks}
