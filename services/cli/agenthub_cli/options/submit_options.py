"""What a person wishes for beside the goal itself, as options of a submission."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.errors import CommandFailed

PriorityWord: TypeAlias = Literal["low", "normal", "high", "urgent"]

_LIMITS = ("max_time", "max_cost_usd", "max_llm_calls")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SubmitOptions:
    """What is not given is left to the hub's defaults."""

    requirements: Annotated[
        list[str] | None,
        Parameter(name=("--requirement", "-r"), negative="", help="What the result has to meet; repeat it"),
    ] = None
    priority: Annotated[PriorityWord | None, Parameter(help="Place in the queues [default: normal]")] = None
    repository: Annotated[str | None, Parameter(help="Git repository to work on; default: an empty one")] = None
    test_command: Annotated[
        str | None, Parameter(help="How the tests are run; default: what the repository shows")
    ] = None
    setup: Annotated[
        list[str] | None,
        Parameter(
            negative="", help="Command that installs what the project needs; repeat it [default: by its files]"
        ),
    ] = None
    max_time: Annotated[str | None, Parameter(help="For example `4 hours` [default: 7 days]")] = None
    max_cost_usd: Annotated[float | None, Parameter(help="Limit of money [default: 50]")] = None
    max_llm_calls: Annotated[int | None, Parameter(help="Limit of model calls [default: 500]")] = None
    autonomy: Annotated[
        Literal["full", "approve_plan"] | None,
        Parameter(help="`approve_plan` waits for `agenthub goal approve-plan` before work begins [default: full]"),
    ] = None
    secrets: Annotated[
        Path | None, Parameter(help="File with values, one a line, that nothing about this goal may show")
    ] = None
    workflow: Annotated[Path | None, Parameter(help="JSON file with a task list; no planner is asked then")] = None

    def body(self) -> dict[str, Any]:
        """The fields of the request. Raises `CommandFailed` when the task list cannot be read."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        limits = {name: given.pop(name) for name in _LIMITS if name in given}
        if self.secrets is not None:
            given["secrets"] = [line for line in _read(self.secrets).decode().splitlines() if line.strip()]
        if self.workflow is not None:
            given["workflow"] = _task_list(self.workflow)
        return {**given, "constraints": limits} if limits else given


NO_SUBMIT_OPTIONS = SubmitOptions()


def _task_list(path: Path) -> Any:
    try:
        return msgspec.json.decode(_read(path))
    except msgspec.DecodeError as error:
        raise CommandFailed(
            f"{path} is no JSON: {error}", hint="give a JSON list of tasks", code=exit_codes.USAGE
        ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}", code=exit_codes.USAGE) from error
