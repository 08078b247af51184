"""An event of the log as a line that a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from agenthub_events.ports import Recorded
from agenthub_events.serialization.codec import decode
from agenthub_runtime.plain_text import one_line
from agenthub_runtime.timeline.renderer import line_of

_ENVELOPE = ("type", "originator_id", "originator_version", "timestamp", "event_id", "metadata", "task_id")
_FIELDS, _LONGEST = 4, 40


def event_line(item: Mapping[str, Any]) -> str:
    """Sequence, time, type and task of an event, and what it says."""
    event = item.get("event")
    body: dict[str, Any] = event if isinstance(event, dict) else {}
    kind = str(body.get("type") or item.get("type", ""))
    task = str(body.get("task_id") or "-")
    said = _words(item, body) if body else one_line(str(item.get("unreadable", "")))
    return f"{item.get('sequence', ''):>8}  {_moment(body)}  {kind:<22} {task}  {said}".rstrip()


def _words(item: Mapping[str, Any], body: dict[str, Any]) -> str:
    """What the story says of it; for what it leaves out, the short ones of its fields."""
    event = decode(msgspec.json.encode(body))
    line = line_of(Recorded(seq=int(item["sequence"]), subject=str(item.get("subject", "")), event=event), {})
    if line is not None:
        return line.text
    fields = ((name, value) for name, value in body.items() if name not in _ENVELOPE)
    short = [f"{name}={value}" for name, value in fields if _is_short(value)]
    return one_line(" ".join(short[:_FIELDS]))


def _is_short(value: object) -> bool:
    return isinstance(value, (str, int, float)) and value not in ("", 0, False) and len(str(value)) <= _LONGEST


def _moment(body: Mapping[str, Any]) -> str:
    try:
        return datetime.fromisoformat(str(body["timestamp"])).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (KeyError, ValueError):
        return " " * 19
