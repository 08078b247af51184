"""The rules of plans: the same for a planner's proposal, a person's workflow and an agent's request for more.

A task may depend only on tasks that stand before it, so a cycle cannot be written down. Every violation is
found at once and told in words that a model or a person can act on, the first fifty of them one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from agenthub_events.agent_types import agent_type_of
from agenthub_events.catalogue.values import Complexity, Origin, Plan, PlannedTask, PlanTask
from agenthub_events.errors import InvalidInput, InvalidPlan
from agenthub_events.redaction import as_shown
from agenthub_events.rules.blank import is_blank
from agenthub_events.subjects import planned_task_id

DEFAULT_TIMEOUT_S = 3_600
MAX_TIMEOUT_S = 86_400
MAX_ESTIMATE_MINUTES = 7 * 24 * 60
DEFAULT_MINUTES: Mapping[Complexity, int] = {"low": 5, "medium": 15, "high": 40}
TITLE_MAX = 300
REASONS_MAX = 50
"""So many violations of a plan are told one by one; they are kept in an event and shown to a model."""
REASON_MAX = 600
"""Characters of one of them: a key may be of any length."""


class PlanLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How large a plan may be: number of tasks and length of its longest chain."""

    max_tasks: int
    max_depth: int


PLANNER_LIMITS = PlanLimits(max_tasks=40, max_depth=12)
MANUAL_LIMITS = PlanLimits(max_tasks=10_000, max_depth=10_000)


def validate_plan(
    tasks: Sequence[PlanTask],
    *,
    limits: PlanLimits = PLANNER_LIMITS,
    existing: Mapping[str, str] | None = None,
    requirement_count: int = 0,
    origin: Origin = "planner",
) -> tuple[PlannedTask, ...]:
    """Turn written tasks into the tasks of the graph.

    `existing` maps keys of tasks that the goal already has to their ids: new tasks may depend on them and may not
    reuse their keys. Raises `InvalidPlan` with the violations.
    """
    check = _Check(limits, dict(existing or {}), requirement_count, origin)
    planned = check.run(tasks)
    if check.reasons:
        raise InvalidPlan(_bounded(check.reasons))
    return planned


def validate_proposal(plan: Plan, *, requirements: Sequence[str] = ()) -> tuple[PlannedTask, ...]:
    """Validate a planner's first plan: a task must serve each of the requirements. Raises `InvalidPlan`."""
    check = _Check(PLANNER_LIMITS, {}, len(requirements), "planner")
    planned = check.run(plan.tasks)
    reasons = [*check.reasons, *_unserved(plan.tasks, requirements)]
    if reasons:
        raise InvalidPlan(_bounded(reasons))
    return planned


def _bounded(reasons: Sequence[str]) -> tuple[str, ...]:
    """The first of them, each in bounded length, and how many more there are."""
    shown = [
        reason if len(reason) <= REASON_MAX else f"{reason[:REASON_MAX]}…" for reason in reasons[:REASONS_MAX]
    ]
    more = len(reasons) - len(shown)
    return (*shown, f"and {more} more: mend these first") if more else tuple(shown)


def _unserved(tasks: Sequence[PlanTask], requirements: Sequence[str]) -> list[str]:
    served = {requirement for task in tasks for requirement in task.requirement_ids}
    return [
        f"requirement `R{number}` ({' '.join(as_shown(text).split())[:TITLE_MAX]}) is served by no task: name"
        f" `R{number}` among the `requirement_ids` of the task that fulfils it, or add one"
        for number, text in enumerate(requirements, 1)
        if f"R{number}" not in served
    ]


class _Check:
    def __init__(self, limits: PlanLimits, ids: dict[str, str], requirement_count: int, origin: Origin) -> None:
        self.limits = limits
        self.ids = ids
        self.earlier = frozenset(ids)
        self.taken = {task_id: key for key, task_id in ids.items()}
        self.requirement_count = requirement_count
        self.origin = origin
        self.depth: dict[str, int] = dict.fromkeys(ids, 0)
        self.reasons: list[str] = []

    def run(self, tasks: Sequence[PlanTask]) -> tuple[PlannedTask, ...]:
        if not tasks:
            self.reasons.append("the plan is empty: give at least one task")
        if len(tasks) > self.limits.max_tasks:
            self.reasons.append(f"the plan has {len(tasks)} tasks: at most {self.limits.max_tasks} are allowed")
            return ()
        later = {task.key for task in tasks}
        planned = []
        for task in tasks:
            later.discard(task.key)
            planned.append(self._task(task, later))
        return tuple(planned)

    def _task(self, task: PlanTask, later: set[str]) -> PlannedTask:
        task_id = self._id(task)
        agent_type = self._agent(task)
        depends_on = self._dependencies(task, later)
        self._requirements(task)
        self._declared(task)
        self._bounds(task)
        self.ids.setdefault(task.key, task_id)
        return PlannedTask(
            task_id=task_id,
            key=task.key,
            title=task.title.strip(),
            details=task.details,
            agent=task.agent,
            agent_type=agent_type,
            depends_on=depends_on,
            complexity=task.complexity,
            estimate_minutes=task.estimate_minutes or DEFAULT_MINUTES[task.complexity],
            acceptance=task.acceptance,
            requirement_ids=task.requirement_ids,
            writes=task.writes,
            changes_tests=task.changes_tests,
            timeout_s=task.timeout_s or DEFAULT_TIMEOUT_S,
            origin=self.origin,
        )

    def _id(self, task: PlanTask) -> str:
        try:
            task_id = planned_task_id(task.key)
        except InvalidInput:
            self.reasons.append(f"task key `{task.key}`: use lower-case letters, digits and dashes")
            return "t-invalid"
        if task.key in self.ids or task_id in self.taken:
            earlier = " (an earlier task of the goal keeps its key)" if task.key in self.earlier else ""
            self.reasons.append(f"task key `{task.key}` is used twice: every key must be unique{earlier}")
        self.taken[task_id] = task.key
        return task_id

    def _agent(self, task: PlanTask) -> str:
        try:
            agent_type = agent_type_of(task.agent)
        except InvalidInput as error:
            self.reasons.append(f"task `{task.key}`: {error}")
            return "coding"
        if agent_type == "planner":
            self.reasons.append(f"task `{task.key}`: a plan cannot contain planning; name another agent")
        return agent_type

    def _dependencies(self, task: PlanTask, later: set[str]) -> tuple[str, ...]:
        found = []
        depth = 1
        for key in dict.fromkeys(task.depends_on):
            if key == task.key:
                self.reasons.append(f"task `{task.key}` depends on itself")
            elif key in self.ids:
                found.append(self.ids[key])
                depth = max(depth, self.depth[key] + 1)
            elif key in later:
                self.reasons.append(
                    f"task `{task.key}` depends on `{key}`, which comes later: a task may depend only on tasks"
                    " listed before it, so that no cycle is possible"
                )
            else:
                self.reasons.append(f"task `{task.key}` depends on `{key}`, which is not in the plan")
        self.depth.setdefault(task.key, depth)
        if depth > self.limits.max_depth:
            self.reasons.append(
                f"task `{task.key}` ends a chain of {depth} tasks: at most {self.limits.max_depth}"
            )
        return tuple(found)

    def _requirements(self, task: PlanTask) -> None:
        known = {f"R{number}" for number in range(1, self.requirement_count + 1)}
        for requirement in task.requirement_ids:
            if requirement not in known:
                allowed = f"R1 to R{self.requirement_count}" if known else "none: the goal has no requirements"
                self.reasons.append(f"task `{task.key}`: unknown requirement `{requirement}` (allowed: {allowed})")

    def _declared(self, task: PlanTask) -> None:
        if task.changes_tests and self.requirement_count and not task.requirement_ids:
            self.reasons.append(
                f"task `{task.key}` may change tests ({', '.join(task.changes_tests)[:TITLE_MAX]}): name the"
                " requirement that wants it in `requirement_ids`"
            )

    def _bounds(self, task: PlanTask) -> None:
        if is_blank(task.title) or len(as_shown(task.title)) > TITLE_MAX:
            self.reasons.append(f"task `{task.key}`: the title must have 1 to {TITLE_MAX} characters")
        if task.timeout_s is not None and not 0 < task.timeout_s <= MAX_TIMEOUT_S:
            self.reasons.append(f"task `{task.key}`: timeout_s must be 1 to {MAX_TIMEOUT_S}")
        if task.estimate_minutes is not None and not 0 <= task.estimate_minutes <= MAX_ESTIMATE_MINUTES:
            self.reasons.append(f"task `{task.key}`: estimate_minutes must be 0 to {MAX_ESTIMATE_MINUTES}")
