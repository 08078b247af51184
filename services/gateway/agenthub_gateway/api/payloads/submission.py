"""From the body of a submission to the first event of a goal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.values import Constraints, PlanTask, ProjectCheck
from agenthub_events.channels import CHANNELS
from agenthub_events.errors import InvalidInput, InvalidPlan
from agenthub_events.notifications.recipients import parse_recipient
from agenthub_events.redaction import redact_text
from agenthub_events.rules.blank import is_blank
from agenthub_events.rules.network import names_private, network_host
from agenthub_events.rules.plan import MANUAL_LIMITS, validate_plan
from agenthub_events.rules.requirements import parse_duration
from agenthub_gateway.api.payloads.decoding import PLACEHOLDER
from agenthub_gateway.api.payloads.requests import SubmitBody, TaskBody
from agenthub_gateway.api.payloads.source import GoalSource, folder_source, remote_source
from agenthub_gateway.errors import FieldError, InvalidBody
from agenthub_gateway.ports import Sources
from agenthub_runtime.remotes.address import is_remote
from agenthub_runtime.repository.errors import SourceRefused
from agenthub_runtime.repository.sources.source import readable

_PLAN = "workflow"


async def accepted_from(body: SubmitBody, sources: Sources | None) -> GoalAccepted:
    """The event that a body amounts to; without `sources` its repository is not looked at.

    Raises `InvalidBody` with every place that does not fit, and `InvalidPlan` when only its own plan does not.
    """
    wanted, wrong = _worded(body, None if sources is None else sources.private)
    source = GoalSource()
    if sources is not None:
        try:
            source = await _source(body, sources)
            _refuse_check_without_commit(wanted.notify, source)
        except InvalidInput as error:
            wrong.append(FieldError(error.field, str(error)))
    if wrong and all(error.key == _PLAN for error in wrong):
        raise _invalid_plan(tuple(error.message for error in wrong))
    if wrong:
        raise InvalidBody(wrong)
    return msgspec.structs.replace(wanted, **msgspec.structs.asdict(source))


def refusals(rest: dict[str, Any], unfit: frozenset[str]) -> Iterable[FieldError]:
    """What is wrong with the words of a submission of which other places are of the wrong form.

    Raises `msgspec.ValidationError` when too little of it is left.
    """
    if "requirements" in unfit:
        rest.pop(_PLAN, None)
    return _worded(msgspec.convert({"goal": PLACEHOLDER, **rest}, SubmitBody), None)[1]


def _worded(body: SubmitBody, private: Sequence[str] | None) -> tuple[GoalAccepted, list[FieldError]]:
    """What the words alone amount to, and every place where they are wrong."""
    wrong = list(_blanks(body))
    notify, constraints = body.notify or (), body.constraints
    recipients = _each(notify, "notify", _recipient, wrong)
    hosts = _each(constraints.network, "constraints.network", partial(_host, private=private), wrong)
    max_time = None
    if constraints.max_time is not None:
        with _noting(wrong):
            max_time = parse_duration(constraints.max_time, field="constraints.max_time")
    workflow = None if body.workflow is None else plan_tasks(body.workflow)
    if workflow is not None:
        with _noting(wrong):
            validate_plan(workflow, limits=MANUAL_LIMITS, requirement_count=len(body.requirements), origin="human")
    wanted = GoalAccepted(
        goal=body.goal,
        requirements=body.requirements,
        constraints=Constraints(
            max_time_s=max_time,
            must_pass_tests=constraints.must_pass_tests,
            require_security_audit=constraints.require_security_audit,
            max_cost_usd=constraints.max_cost_usd,
            max_llm_calls=constraints.max_llm_calls,
            min_coverage=constraints.min_coverage,
            security_audit=constraints.security_audit,
            mutants=constraints.mutants,
            network=hosts,
        ),
        priority=body.priority,
        test_command=body.test_command,
        setup=body.setup,
        checks=tuple(ProjectCheck(name=check.name, command=check.command) for check in body.checks),
        autonomy=body.autonomy,
        workflow=workflow,
        # Recipients stand in the first event for ever, so nothing that needs a credential is taken.
        notify=recipients,
    )
    return wanted, wrong


@contextmanager
def _noting(wrong: list[FieldError]) -> Iterator[None]:
    """What is refused within is noted, and the reading goes on."""
    try:
        yield
    except InvalidPlan as error:
        wrong += [FieldError(_PLAN, reason) for reason in error.reasons]
    except InvalidInput as error:
        wrong.append(FieldError(error.field, str(error)))


def _each(
    texts: Sequence[str], place: str, read: Callable[[str, str], str], wrong: list[FieldError]
) -> tuple[str, ...]:
    """The texts as the log keeps them, each once."""
    taken: dict[str, None] = {}
    for number, text in enumerate(texts):
        with _noting(wrong):
            taken[read(text, f"{place}[{number}]")] = None
    return tuple(taken)


def _blanks(body: SubmitBody) -> Iterator[FieldError]:
    """A blank command, for one, ends well whatever the code is like."""
    if is_blank(body.goal):
        yield FieldError("goal", "Say what is to be done: the goal is blank")
    for number, requirement in enumerate(body.requirements):
        if is_blank(requirement):
            yield FieldError(f"requirements[{number}]", "A requirement is blank: say it or leave it out")
    given = [(f"setup[{number}]", command) for number, command in enumerate(body.setup)]
    given += [(f"checks[{number}].command", check.command) for number, check in enumerate(body.checks)]
    given += [("test_command", body.test_command)] if body.test_command else []
    for place, command in given:
        if is_blank(command):
            yield FieldError(place, "This command is blank: say it or leave it out")


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


def _invalid_plan(reasons: tuple[str, ...]) -> InvalidPlan:
    error = InvalidPlan(reasons)
    error.field = _PLAN
    return error


def _host(text: str, place: str, private: Sequence[str] | None) -> str:
    """A host as the log keeps it; with `private` one of a private network only if it is among these."""
    host = network_host(text, place)
    if private is not None and names_private(host) and host not in private:
        raise InvalidInput(
            f"{host} is a place of a private network or of this machine: AGENTHUB_PRIVATE_HOSTS of the hub has"
            " to name it first",
            field=place,
        )
    return host


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
