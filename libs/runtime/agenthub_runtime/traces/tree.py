"""Spans in the order in which people read them: what somebody began to do, and below it what it took.

The context of a goal's trace travels with its events, so a span may hang below the task before, and that one below
the one before it. Read as a tree it would be as deep as the goal is long. So whatever an event or a request has
set going begins a row of its own, by its time, and only what it did itself is below it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

_BEGINS = frozenset({"consumer", "server"})
_Key: TypeAlias = tuple[bytes, bytes]


class KeptSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A span as it was kept; times in ns. `is_about`: it belongs to no goal and says that it is about this one."""

    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    service: str
    task_id: str | None
    name: str
    kind: str
    began_ns: int
    took_ns: int
    failed: str | None
    attributes: Mapping[str, str | int | float | bool | None]
    is_about: bool = False


class Arranged(msgspec.Struct, frozen=True):
    """A span and how deep it stands below the one that began it; 0 for that one itself."""

    span: KeptSpan
    depth: int


def arranged(spans: Iterable[KeptSpan]) -> list[Arranged]:
    """Every span once, each above those below it, and otherwise by their beginnings.

    Whatever is odd is shown all the same: without a parent, or below itself, a span begins a row of its own.
    """
    known = _distinct(spans)
    below: dict[_Key, list[KeptSpan]] = defaultdict(list)
    first: list[KeptSpan] = []
    for span in known.values():
        above = (span.trace_id, span.parent_id)
        if span.kind in _BEGINS or above not in known:
            first.append(span)
        else:
            below[above].append(span)
    rows: list[Arranged] = []
    seen: set[_Key] = set()
    # Those that hang in a ring are below nothing that begins.
    for span in (*_by_time(first), *_by_time(known.values())):
        _add_whole(span, below, rows, seen)
    return rows


def _add_whole(
    span: KeptSpan, below: Mapping[_Key, Sequence[KeptSpan]], rows: list[Arranged], seen: set[_Key]
) -> None:
    waiting = [Arranged(span, 0)]
    while waiting:
        row = waiting.pop()
        key = _key(row.span)
        if key in seen:
            continue
        seen.add(key)
        rows.append(row)
        waiting += [Arranged(child, row.depth + 1) for child in reversed(_by_time(below.get(key, ())))]


def _distinct(spans: Iterable[KeptSpan]) -> dict[_Key, KeptSpan]:
    """Of several writers of one id it is not a worker's: those can write of any goal."""
    known: dict[_Key, KeptSpan] = {}
    for span in spans:
        other = known.get(_key(span))
        if other is None or (other.service.startswith("worker.") and not span.service.startswith("worker.")):
            known[_key(span)] = span
    return known


def _by_time(spans: Iterable[KeptSpan]) -> list[KeptSpan]:
    return sorted(spans, key=lambda span: (span.began_ns, span.span_id))


def _key(span: KeptSpan) -> _Key:
    return span.trace_id, span.span_id
