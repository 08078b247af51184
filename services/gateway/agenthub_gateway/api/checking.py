"""What a submission would be understood as, without submitting it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from litestar import post
from litestar.params import JSONBody

from agenthub_events.agent_types import AGENT_TYPES
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.errors import CommandRefused, InvalidInput, InvalidPlan, StoreUnavailable
from agenthub_events.gates import TESTS
from agenthub_events.notifications.recipients import parse_recipient, readable_on_the_way
from agenthub_events.rules.requirements import gate_parameters
from agenthub_gateway.api.access import PortsParam
from agenthub_gateway.api.payloads.decoding import strict_body
from agenthub_gateway.api.payloads.requests import SubmitBody
from agenthub_gateway.api.payloads.responses import GoalCheck, RepositoryFound, Understood
from agenthub_gateway.api.payloads.submission import accepted_from, refusals
from agenthub_gateway.errors import InvalidBody
from agenthub_gateway.ports import GatewayPorts
from agenthub_gateway.problems import problem_of
from agenthub_runtime.operations.holding import read_holds
from agenthub_runtime.operations.registry import SURVEY
from agenthub_runtime.operations.survey import Survey, Surveyed
from agenthub_runtime.repository.sources.source import head_of

_UNSEEN = "What the repository's files say of setup and tests is not known yet"


def understood(wanted: GoalAccepted) -> Understood:
    """What the hub takes the words and constraints to demand."""
    parameters = gate_parameters(wanted.requirements, wanted.constraints)
    return Understood(
        min_coverage=parameters.min_coverage,
        security_audit="security" in parameters.required,
        must_pass_tests=TESTS in parameters.blocking,
        gates=parameters.required,
        network=wanted.constraints.network,
    )


def warnings_of(wanted: GoalAccepted) -> tuple[str, ...]:
    """What is taken as it was given and will hardly be meant so, each with its field and the remedy."""
    readable = (readable_on_the_way(parse_recipient(text)) for text in wanted.notify)
    return tuple(f"`notify` names {words}" for words in readable if words)


@post(
    "/api/v1/goals/check",
    status_code=200,
    before_request=strict_body(SubmitBody, further=refusals),
    tags=["Goals"],
    summary="Check a goal before it is submitted",
    response_description="What would come of it",
)
async def check(*, data: JSONBody[SubmitBody], ports: PortsParam) -> GoalCheck:
    """Takes the body of a submission, writes nothing, and says what the submission would be refused for.

    The repository is looked at as the work would find it: a worker says what its files name. Nothing is run.
    """
    try:
        wanted = await accepted_from(data, ports.sources)
    except (InvalidBody, InvalidPlan) as error:
        return GoalCheck(refusals=problem_of(error).errors)
    (survey, warnings), waits = await asyncio.gather(_repository(ports, wanted), _waits(ports, wanted))
    found = None
    if wanted.repository:
        seen = survey or Survey(
            files=0, test_files=0, test_command="", setup=None, setup_source="", checks=(), warnings=()
        )
        found = RepositoryFound(
            repository=wanted.repository,
            ref=wanted.ref,
            commit=await _commit(wanted),
            delivery=wanted.delivery,
            surveyed=survey is not None,
            files=seen.files,
            test_files=seen.test_files,
            test_command=seen.test_command,
            setup=seen.setup,
            setup_source=seen.setup_source,
            checks=seen.checks,
        )
    told = (*warnings_of(wanted), *warnings, *waits)
    return GoalCheck(understood=understood(wanted), repository=found, warnings=told)


async def _repository(ports: GatewayPorts, wanted: GoalAccepted) -> tuple[Survey | None, tuple[str, ...]]:
    """What a worker finds there, and what there is to say; nothing where there is no repository."""
    if not wanted.repository:
        return None, ()
    living = [worker for worker in await ports.workers() if not worker.problem]
    if not living:
        return None, (f"{_UNSEEN}: no worker lives that could look.",)
    asked = Surveyed(
        repository=wanted.repository,
        commit=await _commit(wanted),
        test_command=wanted.test_command,
        setup=wanted.setup,
        checks=tuple(check.name for check in wanted.checks),
    )
    try:
        answer = await ports.tell("worker", living[0].worker, SURVEY, asked)
        survey = msgspec.convert(answer, Survey)
    except (InvalidInput, CommandRefused) as error:
        return None, (str(error),)
    except (LookupError, StoreUnavailable, msgspec.ValidationError):
        return None, (f"{_UNSEEN}: {living[0].worker} did not say in time.",)
    return survey, survey.warnings


async def _commit(wanted: GoalAccepted) -> str:
    return wanted.base_commit or await head_of(Path(wanted.repository))


async def _waits(ports: GatewayPorts, wanted: GoalAccepted) -> Sequence[str]:
    """Why the goal would not begin at once."""
    held = await read_holds(ports.log)
    said = []
    if held.maintenance:
        said.append(_held("The hub is in maintenance", held.maintenance.reason))
    said += [_held(f"The queue `{name}` is paused", hold.reason) for name, hold in held.paused.items()]
    served = {name for worker in await ports.workers() if not worker.problem for name in worker.types}
    missing = [name for name in _asked_for(wanted) if name not in served]
    if missing:
        said.append(f"No worker serves {', '.join(missing)}: what is theirs would wait.")
    return said


def _asked_for(wanted: GoalAccepted) -> Sequence[str]:
    """Whom a goal needs: whoever its own plan names; of an unknown plan everybody but those who do nothing."""
    if wanted.workflow is None:
        return [name for name in AGENT_TYPES if name != "noop"]
    return list(dict.fromkeys(task.agent for task in wanted.workflow))


def _held(what: str, reason: str) -> str:
    return f"{what}{f' ({reason})' if reason else ''}: the goal would be taken, and wait."


HANDLERS: list[Any] = [check]
