"""A waterfall: what took time, a line each, with a bar from its beginning to its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agenthub_cli.terminal.cells import cut, padded, padded_left, room
from agenthub_runtime.plain_text import one_line

_TIME = 8
_LEAST_BAR, _LEAST_LABEL = 10, 16
_LABEL_SHARE = 0.45
_NO_TERMINAL_BAR = 40
_OF_THE_HUB = ("orchestrator", "projector")
_ROOT = "invoke_workflow"
_NO_TASK = "_"


@dataclass(frozen=True, slots=True)
class Timed:
    """One line: its `label`, how deep it stands, and its time in ms from the beginning of all."""

    label: str
    depth: int
    offset_ms: float
    duration_ms: float
    has_failed: bool = False


def timed_rows(spans: Sequence[Mapping[str, Any]], *, everything: bool) -> list[Timed]:
    """The lines of a trace as the API gives it; without `everything` what people and workers did, with no step."""
    rows: list[Timed] = []
    for number, span in enumerate(spans):
        is_step = span["depth"] or (span["service"] in _OF_THE_HUB and not span["name"].startswith(_ROOT))
        if is_step and not everything:
            continue
        rows.append(
            Timed(
                label=_label(span, 0 if everything else _below(spans, number)),
                depth=span["depth"],
                offset_ms=span["offset_ms"],
                duration_ms=span["duration_ms"],
                has_failed=span["error"] is not None,
            )
        )
    return rows


def _below(spans: Sequence[Mapping[str, Any]], number: int) -> int:
    """How many spans stand below one: those that follow it, up to the next that stands as high."""
    end = number + 1
    while end < len(spans) and spans[end]["depth"] > spans[number]["depth"]:
        end += 1
    return end - number - 1


def _label(span: Mapping[str, Any], below: int) -> str:
    names_task = span["depth"] == 0 and span["task_id"] not in (None, _NO_TASK)
    task = f" {span['task_id']}" if names_task else ""
    steps = f" +{below}" if below else ""
    reason = f": {span['error']}" if span["error"] else ""
    return one_line(f"{span['name']}{task}{steps}{reason}")


def waterfall_lines(rows: Sequence[Timed], total_ms: float, *, width: int | None) -> Iterator[str]:
    """The lines, in `width` columns; None: no label is cut. What has failed is marked with a cross."""
    labels = [f"{'  ' * row.depth}{'✗ ' if row.has_failed else ''}{row.label}" for row in rows]
    widest = max((room(label) for label in labels), default=0)
    columns = widest if width is None else min(widest, max(_LEAST_LABEL, int(width * _LABEL_SHARE)))
    bar = _NO_TERMINAL_BAR if width is None else max(_LEAST_BAR, width - columns - _TIME - 2)
    for row, label in zip(rows, labels, strict=True):
        drawn = padded(_bar(row, total_ms, bar), bar)
        yield f"{padded(cut(label, columns), columns)} {drawn} {padded_left(in_words(row.duration_ms), _TIME)}"


def in_words(milliseconds: float) -> str:
    """A duration in at most eight columns."""
    if milliseconds < 1_000:
        return f"{milliseconds:.1f} ms" if milliseconds < 100 else f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1_000
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def _bar(row: Timed, total_ms: float, columns: int) -> str:
    share = columns / total_ms if total_ms > 0 else 0.0
    start = min(columns - 1, max(0, int(row.offset_ms * share)))
    length = int(row.duration_ms * share)
    return " " * start + ("█" * min(length, columns - start) or "▏")
