"""RUNS in memory."""

from __future__ import annotations

from collections import defaultdict

from agenthub_events.ports import StepConflict, StepResult, Stored
from agenthub_events.runs import RecordedStep, RunId, Step, step_id


class InMemoryRunLog:
    """The `RunLog` port in memory."""

    def __init__(self) -> None:
        self._steps: defaultdict[RunId, list[tuple[RecordedStep, str]]] = defaultdict(list)
        self._seq = 0

    async def append(self, run: RunId, step: Step, *, expected: int) -> StepResult:
        """Append a step behind the run's fence."""
        steps = self._steps[run]
        last = steps[-1][0].seq if steps else 0
        identity = step_id(run, step, expected=expected)
        for recorded, known in steps:
            if known == identity and recorded.seq > expected:
                return Stored(recorded.seq, duplicate=True)
        if last != expected:
            return StepConflict(last)
        self._seq += 1
        steps.append((RecordedStep(self._seq, step), identity))
        return Stored(self._seq)

    async def read(self, run: RunId) -> list[RecordedStep]:
        """All steps of the attempt, in order."""
        return [recorded for recorded, _ in self._steps[run]]

    async def emit(self, run: RunId, kind: str, data: bytes) -> None:
        """Nothing keeps what only passes by."""
