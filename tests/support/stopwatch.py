"""Seconds that the machine has given, for limits that a person was promised."""

from __future__ import annotations

import threading
from typing import Self

_SLICE_S = 0.02


class Stopwatch:
    """Counts slices of time while `with` runs, each once however late it ends: a machine that stands still, or is
    busy with others, is not held against what is measured.
    """

    def __init__(self) -> None:
        self._slices = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    @property
    def seconds(self) -> float:
        """How much of the time has gone by so far."""
        return self._slices * _SLICE_S

    def _count(self) -> None:
        while not self._end.wait(_SLICE_S):
            self._slices += 1
