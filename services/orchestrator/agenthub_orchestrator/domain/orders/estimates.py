"""How long a plan will take: its longest chain of tasks, with a band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from agenthub_events.catalogue.values import Estimates, PlannedTask

LOW_SHARE = 0.5
HIGH_SHARE = 2.0


class _Chain(NamedTuple):
    minutes: float = 0.0
    low: float = 0.0
    high: float = 0.0

    def then(self, other: _Chain) -> _Chain:
        return _Chain(self.minutes + other.minutes, self.low + other.low, self.high + other.high)


def estimates(tasks: Sequence[PlannedTask], history: Mapping[str, tuple[float, float]] | None = None) -> Estimates:
    """The minutes along the critical path of `tasks`, which stand after what they depend on.

    `history` maps an agent type to the median and the 90th percentile of its finished tasks, in minutes; a type
    without history counts with the plan's own figure. The band reaches from half the figure (or of the median) to
    the 90th percentile, or to twice the figure.
    """
    known = history or {}
    ends: dict[str, _Chain] = {}
    longest = _Chain()
    for task in tasks:
        before = max((ends[dep] for dep in task.depends_on if dep in ends), default=_Chain())
        ends[task.task_id] = chain = before.then(_duration(task, known))
        longest = max(longest, chain)
    return Estimates(
        tasks=len(tasks),
        minutes=round(longest.minutes, 1),
        minutes_low=round(longest.low, 1),
        minutes_high=round(longest.high, 1),
    )


def _duration(task: PlannedTask, history: Mapping[str, tuple[float, float]]) -> _Chain:
    measured = history.get(task.agent_type)
    if measured is not None:
        median, p90 = measured
        return _Chain(median, median * LOW_SHARE, max(median, p90))
    minutes = float(task.estimate_minutes)
    return _Chain(minutes, minutes * LOW_SHARE, minutes * HIGH_SHARE)
