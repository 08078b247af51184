"""From the body of a submission to the first event of a goal."""

from __future__ import annotations

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
from agenthub_gateway.api.payloads.source import GoalSource, Sources, folder_source, remote_source
from agenthub_runtime.remotes.address import is_remote
from agenthub_runtime.repository.errors import SourceRefused
from agenthub_runtime.repository.source import examine


def _is_blank(text: str) -> bool:
    """Whether nobody could read anything in it: spaces, control characters, characters without a width."""
    return not any(char.isprintable() and not char.isspace() for char in text)


async def accepted_from(body: SubmitBody, sources: Sources | None) -> GoalAccepted:
    """The event that a body amounts to; without `sources` its repository is not looked at.

    Raises `InvalidInput` or `InvalidPlan`.
    """
    if _is_blank(body.goal):
        raise InvalidInput("Say what is to be done: the goal is blank", field="goal")
    for number, requirement in enumerate(body.requirements):
        if _is_blank(requirement):
            raise InvalidInput("A requirement is blank: say it or leave it out", field=f"requirements[{number}]")
    source = GoalSource() if sources is None else await _source(body, sources)
    return GoalAccepted(
        goal=body.goal,
        requirements=body.requirements,
        constraints=_constraints(body.constraints),
        priority=body.priority,
        repository=source.repository,
        ref=source.ref,
        base_commit=source.base_commit,
        delivery=source.delivery,
        delivery_branch=source.delivery_branch,
        test_command=body.test_command,
        setup=body.setup,
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


async def _source(body: SubmitBody, sources: Sources) -> GoalSource:
    text = body.repository.strip()
    if is_remote(text):
        return await remote_source(body, sources.access)
    return await folder_source(await _repository(text, sources.local), body, sources.access)


async def _repository(text: str, local_repositories: bool) -> str:
    if not text:
        return ""
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
