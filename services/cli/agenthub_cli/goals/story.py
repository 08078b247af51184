"""How a goal's story is told while it happens: as lines, or as events for programs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

import msgspec

from agenthub_cli.client.hub_client import ServerSentEvent
from agenthub_cli.terminal.output import print_json, say, say_beside
from agenthub_events.ports import Recorded
from agenthub_events.serialization.codec import decode
from agenthub_runtime.plain_text import one_line
from agenthub_runtime.timeline.renderer import Line, TimelineRenderer, format_line

TOOL = "run.tool"
_CLOCK = len("[20:45:03] ")
_EDITS = "str_replace_based_edit_tool"


class Narration(Protocol):
    """Who is told of a goal's events."""

    def take(self, frame: ServerSentEvent) -> Recorded:
        """Tell one event."""
        ...

    def glimpse(self, frame: ServerSentEvent) -> None:
        """What an agent does meanwhile, and is no event."""
        ...

    def know(self, tasks: Iterable[dict[str, Any]]) -> None:
        """Learn the names of tasks whose plan came up before the story begins."""
        ...

    def remark(self, text: str) -> None:
        """Say something that is no event."""
        ...

    def flush(self) -> None:
        """Nothing came for a moment, or the story ends here."""
        ...

    def end(self) -> None:
        """Leave the terminal as others expect it."""
        ...


def recorded_in(frame: ServerSentEvent) -> Recorded:
    """The event that a frame carries."""
    body = msgspec.json.decode(frame.data)
    return Recorded(
        seq=body["sequence"], subject=body["subject"], event=decode(msgspec.json.encode(body["event"]))
    )


def tool_words(told: dict[str, Any]) -> str:
    """A tool call in a line. The tool that edits files says by its first argument what it does."""
    name = "" if told["tool"] == _EDITS and told["given"] else told["tool"]
    return one_line(f"{name} {told['given']}".strip())


class TimelinePrinter:
    """Prints a goal's lines in order; tasks that are enqueued together share one."""

    def __init__(self, *, json: bool = False, verbose: bool = False) -> None:
        self._narrator = TimelineRenderer()
        self._json = json
        self._verbose = verbose
        self._pending: Line | None = None

    def take(self, frame: ServerSentEvent) -> Recorded:
        """Tell one event."""
        recorded = recorded_in(frame)
        if self._json:
            print_json(msgspec.json.decode(frame.data))
            return recorded
        line = self._narrator.tell(recorded)
        if line is not None:
            if self._pending is not None and self._pending.seq != line.seq:
                self._print()
            self._pending = line
        return recorded

    def glimpse(self, frame: ServerSentEvent) -> None:
        """Tell of a tool that an agent calls, where tools are wanted."""
        if not self._verbose or frame.event != TOOL:
            return
        told = msgspec.json.decode(frame.data)
        if self._json:
            print_json(told)
        elif told["state"] == "began" or told["is_error"]:
            self.flush()
            name = self._narrator.names.get(told["task_id"], told["task_id"])
            words = tool_words(told) if told["state"] == "began" else f"{told['tool']} failed"
            say(f"[{datetime.now():%H:%M:%S}]   {name}: {words}")

    def know(self, tasks: Iterable[dict[str, Any]]) -> None:
        """Learn the names of tasks whose plan came up before the story begins."""
        self._narrator.names.update((task["task_id"], task["key_name"]) for task in tasks if task["key_name"])

    def remark(self, text: str) -> None:
        """Say something that is no event."""
        say(text, aside=self._json)

    def end(self) -> None:
        """Lines need nothing."""

    def flush(self) -> None:
        """Print what was held back for more of its kind."""
        self._print()
        self._narrator.cut()

    def _print(self) -> None:
        if self._pending is not None:
            local = msgspec.structs.replace(self._pending, time=self._pending.time.astimezone())
            line = format_line(local)
            say_beside(line[:_CLOCK], line[_CLOCK:])
            self._pending = None
