"""From the body of a submission to the first event of a goal."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.values import Constraints, PlanTask
from agenthub_events.errors import InvalidInput, InvalidPlan
from agenthub_events.rules.plan import MANUAL_LIMITS, validate_plan
from agenthub_events.rules.requirements import parse_duration
from agenthub_gateway.api.payloads.requests import ConstraintsBody, SubmitBody, TaskBody

_REMOTE = frozenset({"https", "http", "ssh", "git"})
_SCP_LIKE = re.compile(r"[\w.-]+@[\w.-]+:[^\s]+")


async def accepted_from(body: SubmitBody, *, local_repositories: bool) -> GoalAccepted:
    """The event that a body amounts to. Raises `InvalidInput` or `InvalidPlan`."""
    if not body.goal.strip():
        raise InvalidInput("Say what is to be done: the goal is blank", field="goal")
    for number, requirement in enumerate(body.requirements):
        if not requirement.strip():
            raise InvalidInput("A requirement is blank: say it or leave it out", field=f"requirements[{number}]")
    return GoalAccepted(
        goal=body.goal,
        requirements=body.requirements,
        constraints=_constraints(body.constraints),
        priority=body.priority,
        repository=await _repository(body.repository.strip(), local_repositories),
        test_command=body.test_command,
        setup=body.setup,
        autonomy=body.autonomy,
        workflow=_workflow(body),
    )


def plan_tasks(tasks: Sequence[TaskBody]) -> tuple[PlanTask, ...]:
    """Tasks as the rules of plans take them."""
    return tuple(PlanTask(**msgspec.structs.asdict(task)) for task in tasks)


def _workflow(body: SubmitBody) -> tuple[PlanTask, ...] | None:
    if body.workflow is None:
        return None
    tasks = plan_tasks(body.workflow)
    try:
        validate_plan(tasks, limits=MANUAL_LIMITS, requirement_count=len(body.requirements), origin="human")
    except InvalidPlan as error:
        error.field = "workflow"
        raise
    return tasks


def _constraints(body: ConstraintsBody) -> Constraints:
    max_time = None if body.max_time is None else parse_duration(body.max_time, field="constraints.max_time")
    return Constraints(
        max_time_s=max_time,
        must_pass_tests=body.must_pass_tests,
        require_security_audit=body.require_security_audit,
        max_cost_usd=body.max_cost_usd,
        max_llm_calls=body.max_llm_calls,
    )


async def _repository(text: str, local_repositories: bool) -> str:
    if not text:
        return ""
    if _SCP_LIKE.fullmatch(text) or _scheme_of(text) in _REMOTE:
        raise InvalidInput(
            "Repositories elsewhere are not fetched yet: clone it on the hub's machine and give the folder's path",
            field="repository",
        )
    path = Path(text.removeprefix("file://"))
    if not path.is_absolute():
        raise InvalidInput("Expected the absolute path of a git repository on this machine", field="repository")
    if not local_repositories:
        raise InvalidInput(
            "A path on this machine means nothing to workers elsewhere: only a hub that runs embedded takes one",
            field="repository",
        )
    if not await asyncio.to_thread(_looks_like_git, path):
        raise InvalidInput(f"There is no git repository at `{text[:200]}`", field="repository")
    return str(path)


def _scheme_of(text: str) -> str:
    try:
        return urlsplit(text).scheme
    except ValueError:
        raise InvalidInput("The address of the repository cannot be read", field="repository") from None


def _looks_like_git(path: Path) -> bool:
    try:
        return (path / ".git").exists() or (path / "HEAD").is_file()
    except OSError:
        return False
