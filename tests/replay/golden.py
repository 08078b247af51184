"""Golden samples: how every event type looked in the log when it was introduced.

`python -m tests.replay.golden` writes the samples that are missing and never touches one that exists: what stands
in a log cannot change, so neither may these.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin

import msgspec

from agenthub_events.base import Draft, Event, Fence
from agenthub_events.catalogue import REGISTRY
from agenthub_events.serialization.codec import encode

FOLDER = Path(__file__).parent / "golden" / "events"
NOW = datetime(2026, 11, 24, 9, 20, 45, 123456, tzinfo=UTC)
GOAL = "g-01jd8k3v5w6x7y8z9a0b1c2d3e"
TASK = "t-implement-jwt"
NOTIFICATION = "n-7b0d5a0e5f4b5d0c9a8f3c7e21a9d4e6"

_ENVELOPE = frozenset({"originator_id", "originator_version", "timestamp", "event_id", "metadata"})
_ON_THE_GOAL = frozenset({"goal", "budget", "seal", "log", "maintenance", "queue"})
_OF_A_SCHEDULE = frozenset({"schedule.ran", "schedule.skipped", "schedule.triggered"})
_PLAIN: dict[Any, Any] = {int: 3, float: 1.5, bool: False, datetime: NOW}


class Sample(msgspec.Struct, frozen=True):
    """An event as it is written: what its writer said about it, and what then stood in the log."""

    goal_id: str
    task_id: str
    ordinal: str
    expected: int
    version: int
    route: tuple[str, ...]
    subject: str
    event_id: str
    body: msgspec.Raw


def path_of(event_type: str, version: int) -> Path:
    """Where the samples of a type and version lie."""
    return FOLDER / f"{event_type}.v{version}.json"


def read_samples(path: Path) -> list[Sample]:
    """The samples of a file: one with every field set, one with the fewest."""
    return msgspec.json.decode(path.read_bytes(), type=list[Sample])


def draft_of(sample: Sample, event: Event) -> Draft:
    """The draft that the sample was written from."""
    fence = Fence(sample.expected, sample.version - 1)
    return fence.draft(sample.goal_id, sample.task_id, event, sample.ordinal, route=sample.route)


def write_missing() -> list[Path]:
    """Write a file for every type whose newest version has none; the paths written."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    written = []
    for name, kind in sorted(REGISTRY.items()):
        path = path_of(name, kind.class_version)
        if not path.exists():
            samples = [_sample(_made(kind, whole=whole)) for whole in (True, False)]
            path.write_bytes(msgspec.json.format(msgspec.json.encode(samples), indent=2) + b"\n")
            written.append(path)
    return written


def _sample(event: Event) -> Sample:
    draft = Fence(41, 1).draft(GOAL, _task_of(event.type), event, "1", route=tuple(_route_of(event)))
    metadata = {"actor": "worker-3", "causation_id": "7b0d5a0e-5f4b-5d0c-9a8f-3c7e21a9d4e6", "observed_seq": "41"}
    return Sample(
        goal_id=draft.goal_id,
        task_id=draft.task_id,
        ordinal=draft.ordinal,
        expected=draft.expected,
        version=draft.version,
        route=draft.route,
        subject=draft.subject,
        event_id=draft.event_id,
        body=msgspec.Raw(encode(draft.sealed(NOW, metadata))),
    )


def _task_of(event_type: str) -> str:
    family = event_type.partition(".")[0]
    if family in _ON_THE_GOAL or event_type == "merge.done":
        return "_"
    if family == "schedule":
        return "s-nightly" if event_type in _OF_A_SCHEDULE else "_"
    if family == "notification":
        return "_" if "channel" in event_type else NOTIFICATION
    return "gate-tests-1" if family == "gate" else TASK


def _route_of(event: Event) -> Iterator[str]:
    if event.type == "task.enqueued":
        yield from (getattr(event, "agent_type"), getattr(event, "lane"))  # noqa: B009  fields of one type only


def _made(kind: Any, *, whole: bool) -> Any:
    """A struct with every field set, or with the required ones alone."""
    hints = typing.get_type_hints(kind)
    return kind(
        **{
            field.name: _value(hints[field.name], field.name, whole=whole)
            for field in msgspec.structs.fields(kind)
            if field.name not in _ENVELOPE and (whole or field.required)
        }
    )


def _value(hint: Any, name: str, *, whole: bool) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    if hint is str:
        return f"some {name.replace('_', ' ')}"
    if origin is Literal:
        return args[-1]
    if origin is UnionType or origin is typing.Union:
        return _value(next(arg for arg in args if arg is not NoneType), name, whole=whole)
    if origin is tuple:
        return (_value(args[0], name, whole=whole),)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _made(hint, whole=whole)
    if origin in (dict, Mapping):
        return {"key": "value"}
    raise TypeError(f"no sample for {hint!r} ({name})")


if __name__ == "__main__":
    for new in write_missing():
        print(f"wrote {new.relative_to(Path.cwd())}")  # noqa: T201  this is a command
