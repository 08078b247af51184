"""From the body of a submission to the first event of a goal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.values import Constraints, PlanTask
from agenthub_events.errors import InvalidInput, InvalidPlan
from agenthub_events.notifications.recipients import parse_recipient
from agenthub_events.redaction import redact_text
from agenthub_events.rules.plan import MANUAL_LIMITS, validate_plan
from agenthub_events.rules.requirements import parse_duration
from agenthub_gateway.api.payloads.requests import ConstraintsBody, SubmitBody, TaskBody
from agenthub_runtime.repository.errors import SourceRefused
from agenthub_runtime.repository.source import examine

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
        autonomy=body.autonomy,
        workflow=_workflow(body),
        notify=_notify(body.notify or ()),
    )


def _notify(texts: Sequence[str]) -> tuple[str, ...]:
    """Recipients of one goal stand in its first event for ever, so nothing that needs a credential is taken."""
    return tuple(dict.fromkeys(_recipient(text, f"notify[{number}]") for number, text in enumerate(texts)))


def _recipient(text: str, place: str) -> str:
    try:
        recipient = parse_recipient(text)
    except InvalidInput as error:
        raise InvalidInput(str(error), field=place) from None
    if recipient.channel == "apprise":
        raise InvalidInput(
            "A goal names e-mail addresses and webhooks; what apprise reaches is named in AGENTHUB_NOTIFY",
            field=place,
        )
    if recipient.channel == "webhook" and (redact_text(text) != text or "@" in urlsplit(text).netloc):
        raise InvalidInput(
            "This address holds what looks like a credential, which no event keeps: name it in AGENTHUB_NOTIFY",
            field=place,
        )
    return recipient.address


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
        min_coverage=body.min_coverage,
        security_audit=body.security_audit,
        mutants=body.mutants,
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
    try:
        await examine(path)
    except SourceRefused as refused:
        raise InvalidInput(str(refused), field="repository") from None
    return str(path)


def _scheme_of(text: str) -> str:
    try:
        return urlsplit(text).scheme
    except ValueError:
        raise InvalidInput("The address of the repository cannot be read", field="repository") from None
