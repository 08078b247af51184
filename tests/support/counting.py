"""What a computation costs in steps of the interpreter: the same on every machine, however busy it is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Steps:
    """How many there were."""

    taken = 0


@contextmanager
def counting_steps() -> Iterator[Steps]:
    """Bytecodes that this thread executes in what the body calls; what libraries in C do is not seen."""
    steps = Steps()

    def count(frame: FrameType, what: str, argument: object) -> Any:
        del argument
        frame.f_trace_opcodes = True
        steps.taken += what == "opcode"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        yield steps
    finally:
        sys.settrace(before)


def steps_of(work: Callable[[], object]) -> int:
    """The steps of `work`."""
    with counting_steps() as steps:
        work()
    return steps.taken


class Compared(str):
    """A text that counts how often it is compared with another, also by code in C."""

    __slots__ = ()
    times = 0

    def __eq__(self, other: object) -> bool:
        Compared.times += 1
        return str.__eq__(self, other)

    def __hash__(self) -> int:
        return str.__hash__(self)
