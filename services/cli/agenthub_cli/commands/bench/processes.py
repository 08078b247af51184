"""What processes of a hub have cost so far, as the kernel counts it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

_TICKS = os.sysconf("SC_CLK_TCK")
_KINDS = {
    "agenthub_worker.rehearsal": "model",
    "agenthub_worker": "worker",
    "agenthub_orchestrator.projector": "projector",
    "agenthub_orchestrator": "orchestrator",
    "agenthub_gateway": "gateway",
    "agenthub_notifier": "notifier",
    "postgres": "postgres",
    "nats-server": "nats-server",
}
"""What a command line says of a process; the first that stands in it counts."""


class Cost(msgspec.Struct, frozen=True):
    """CPU seconds of a process itself, and of the programs that it had started and that have ended."""

    own_s: float = 0.0
    programs_s: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.own_s + other.own_s, self.programs_s + other.programs_s)

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.own_s - other.own_s, self.programs_s - other.programs_s)


def costs_below(pid: int) -> dict[str, Cost]:
    """The living processes below `pid`, by what they are. Empty where the kernel has no /proc."""
    parents = dict(_parents())
    found: defaultdict[str, Cost] = defaultdict(Cost)
    for process in parents:
        if process != pid and _is_below(process, pid, parents):
            with suppress(OSError, ValueError, IndexError):
                found[_kind(process)] += _cost(process)
    return dict(found)


def spent(before: Mapping[str, Cost], after: Mapping[str, Cost]) -> dict[str, Cost]:
    """What was used between two looks, by what used it."""
    return {kind: cost - before.get(kind, Cost()) for kind, cost in after.items()}


def _parents() -> Iterator[tuple[int, int]]:
    with suppress(OSError):
        for name in os.listdir("/proc"):
            if name.isdigit():
                with suppress(OSError, ValueError, IndexError):
                    yield int(name), int(_fields(int(name))[1])


def _is_below(process: int, pid: int, parents: Mapping[int, int]) -> bool:
    while process > 1:
        process = parents.get(process, 0)
        if process == pid:
            return True
    return False


def _fields(process: int) -> list[str]:
    """The fields of `stat` behind the name, which may hold anything."""
    return Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()


def _cost(process: int) -> Cost:
    own, programs = _fields(process)[11:13], _fields(process)[13:15]
    return Cost(sum(map(int, own)) / _TICKS, sum(map(int, programs)) / _TICKS)


def _kind(process: int) -> str:
    words = Path(f"/proc/{process}/cmdline").read_bytes().decode("utf-8", "replace")
    return next((kind for said, kind in _KINDS.items() if said in words), "other")
