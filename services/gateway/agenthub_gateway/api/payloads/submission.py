"""From the body of a submission to the first event of a goal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.values import Constraints, PlanTask, ProjectCheck
from agenthub_events.channels import CHANNELS
from agenthub_events.errors import InvalidInput, InvalidPlan
from agenthub_events.notifications.recipients import parse_recipient
from agenthub_events.redaction import redact_text
from agenthub_events.rules.network import names_private, network_host
from agenthub_events.rules.plan import MANUAL_LIMITS, validate_plan
from agenthub_events.rules.requirements import parse_duration
from agenthub_gateway.api.payloads.requests import ConstraintsBody, SubmitBody, TaskBody
from agenthub_gateway.api.payloads.source import GoalSource, folder_source, remote_source
from agenthub_gateway.ports import Sources
from agenthub_runtime.plain_text import is_blank
from agenthub_runtime.remotes.address import is_remote
from agenthub_runtime.repository.errors import SourceRefused
from agenthub_runtime.repository.sources.source import readable


async def accepted_from(body: SubmitBody, sources: Sources | None) -> GoalAccepted:
    """The event that a body amounts to; without `sources` its repository is not looked at.

    Raises `InvalidInput` or `InvalidPlan`.
    """
    if is_blank(body.goal):
        raise InvalidInput("Say what is to be done: the goal is blank", field="goal")
    for number, requirement in enumerate(body.requirements):
        if is_blank(requirement):
            raise InvalidInput("A requirement is blank: say it or leave it out", field=f"requirements[{number}]")
    _refuse_blank_commands(body)
    source = GoalSource() if sources is None else await _source(body, sources)
    notify = _notify(body.notify or ())
    if sources is not None:
        _refuse_check_without_commit(notify, source)
    return GoalAccepted(
        goal=body.goal,
        requirements=body.requirements,
        constraints=_constraints(body.constraints, sources),
        priority=body.priority,
        repository=source.repository,
        ref=source.ref,
        base_commit=source.base_commit,
        delivery=source.delivery,
        delivery_branch=source.delivery_branch,
        test_command=body.test_command,
        setup=body.setup,
        checks=tuple(ProjectCheck(name=check.name, command=check.command) for check in body.checks),
        autonomy=body.autonomy,
        workflow=_workflow(body),
        notify=notify,
    )


def _refuse_blank_commands(body: SubmitBody) -> None:
    """A blank command ends well whatever the code is like."""
    given = [(f"setup[{number}]", command) for number, command in enumerate(body.setup)]
    given += [(f"checks[{number}].command", check.command) for number, check in enumerate(body.checks)]
    given += [("test_command", body.test_command)] if body.test_command else []
    for place, command in given:
        if is_blank(command):
            raise InvalidInput("This command is blank: say it or leave it out", field=place)


def _notify(texts: Sequence[str]) -> tuple[str, ...]:
    """Recipients of one goal stand in its first event for ever, so nothing that needs a credential is taken."""
    return tuple(dict.fromkeys(_recipient(text, f"notify[{number}]") for number, text in enumerate(texts)))


def _refuse_check_without_commit(notify: Sequence[str], source: GoalSource) -> None:
    """A check is about a commit at a host."""
    checks = [text for text in notify if parse_recipient(text).channel == "check"]
    if checks and not (source.base_commit and is_remote(source.repository)):
        raise InvalidInput(f"`{checks[0]}` needs a repository at an address to be the check of", field="notify")


def _recipient(text: str, place: str) -> str:
    try:
        recipient = parse_recipient(text)
    except InvalidInput as error:
        raise InvalidInput(str(error), field=place) from None
    if not CHANNELS[recipient.channel].in_goals:
        raise InvalidInput(
            "A goal names e-mail addresses and webhooks; what apprise reaches is named in AGENTHUB_NOTIFY",
            field=place,
        )
    if recipient.channel != "email" and (redact_text(text) != text or "@" in urlsplit(text).netloc):
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


def _constraints(body: ConstraintsBody, sources: Sources | None) -> Constraints:
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
        network=_network(body.network, None if sources is None else sources.private),
    )


def _network(texts: Sequence[str], private: Sequence[str] | None) -> tuple[str, ...]:
    """The hosts as the log keeps them; with `private` only those of private networks that are among these."""
    hosts = []
    for number, text in enumerate(texts):
        field = f"constraints.network[{number}]"
        host = network_host(text, field)
        if private is not None and names_private(host) and host not in private:
            raise InvalidInput(
                f"{host} is a place of a private network or of this machine: AGENTHUB_PRIVATE_HOSTS of the hub has"
                " to name it first",
                field=field,
            )
        hosts.append(host)
    return tuple(dict.fromkeys(hosts))


async def _source(body: SubmitBody, sources: Sources) -> GoalSource:
    text = body.repository.strip()
    if is_remote(text):
        return await remote_source(body, sources)
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
        await readable(path)
    except SourceRefused as refused:
        raise InvalidInput(str(refused), field="repository") from None
    return str(path)
