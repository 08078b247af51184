"""What a person wishes for beside the goal itself, as options of a submission."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.checked import Calls, Dollars
from agenthub_cli.errors import CommandFailed
from agenthub_runtime.remotes.address import is_remote

PriorityWord: TypeAlias = Literal["low", "normal", "high", "urgent"]

# No request may be larger.
_FILE_MAX = 4 << 20
_LIMITS = ("max_time", "max_cost_usd", "max_llm_calls", "min_coverage", "security_audit", "mutants")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SubmitOptions:
    """What is not given is left to the hub's defaults."""

    requirements: Annotated[
        list[str] | None,
        Parameter(name=("--requirement", "-r"), negative="", help="What the result has to meet; repeat it"),
    ] = None
    priority: Annotated[PriorityWord | None, Parameter(help="Place in the queues [default: normal]")] = None
    repository: Annotated[
        str | None,
        Parameter(help="Git repository to work on: a folder such as `.`, or an address; default: an empty one"),
    ] = None
    ref: Annotated[
        str | None, Parameter(help="Branch, tag or full commit id to start from; default: the repository's HEAD")
    ] = None
    deliver: Annotated[
        Literal["none", "branch", "pull-request"] | None,
        Parameter(help="What happens to the approved result at an address; default: what the hub has a token for"),
    ] = None
    deliver_branch: Annotated[
        str | None, Parameter(help="Name of the branch that is pushed [default: goal/<id>]")
    ] = None
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
    max_cost_usd: Annotated[Dollars | None, Parameter(help="Limit of money [default: 50]")] = None
    max_llm_calls: Annotated[Calls | None, Parameter(help="Limit of model calls [default: 500]")] = None
    min_coverage: Annotated[
        float | None, Parameter(help="Percent that the tests must cover; 0: none [default: what the words demand]")
    ] = None
    security_audit: Annotated[bool | None, Parameter(help="Whether to audit, whatever the words seem to ask")] = (
        None
    )
    mutants: Annotated[
        Literal["on", "off"] | None, Parameter(help="Whether the tests must notice broken code [default: on]")
    ] = None
    autonomy: Annotated[
        Literal["full", "approve_plan"] | None,
        Parameter(help="`approve_plan` waits for `agenthub goal approve-plan` before work begins [default: full]"),
    ] = None
    notify: Annotated[
        list[str] | None,
        Parameter(negative="", help="E-mail address or webhook that is told about this goal as well; repeat it"),
    ] = None
    secrets: Annotated[
        Path | None, Parameter(help="File with values, one a line, that nothing about this goal may show")
    ] = None
    workflow: Annotated[Path | None, Parameter(help="JSON file with a task list; no planner is asked then")] = None

    def body(self) -> dict[str, Any]:
        """The fields of the request. Raises `CommandFailed` when the task list cannot be read."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        limits = {name: given.pop(name) for name in _LIMITS if name in given}
        if self.repository is not None:
            given["repository"] = _repository(self.repository)
        if self.deliver is not None:
            given["deliver"] = self.deliver.replace("-", "_")
        if self.secrets is not None:
            given["secrets"] = [line for line in _text(self.secrets).splitlines() if line.strip()]
        if self.workflow is not None:
            given["workflow"] = _task_list(self.workflow)
        return {**given, "constraints": limits} if limits else given


NO_SUBMIT_OPTIONS = SubmitOptions()


def _repository(text: str) -> str:
    """An address as it is; a folder as the whole path of the repository that it lies in."""
    if not text.strip() or is_remote(text) or text.startswith("file://"):
        return text
    path = Path(text).expanduser().absolute().resolve()
    inside = (folder for folder in (path, *path.parents) if (folder / ".git").exists())
    return str(path if (path / "HEAD").is_file() else next(inside, path))


def _task_list(path: Path) -> Any:
    try:
        return msgspec.json.decode(_read(path))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CommandFailed(
            f"{path} is no JSON: {error}", hint="give a JSON list of tasks", code=exit_codes.USAGE
        ) from error


def _text(path: Path) -> str:
    try:
        return _read(path).decode()
    except UnicodeDecodeError as error:
        raise CommandFailed(
            f"{path} is no UTF-8 text: its byte {error.start + 1} does not belong there",
            hint="give a text file, or the bytes in base64",
            code=exit_codes.USAGE,
        ) from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_MAX + 1)
    except OSError as error:
        raise CommandFailed(f"{path} cannot be read: {error.strerror}", code=exit_codes.USAGE) from error
    if len(content) > _FILE_MAX:
        raise CommandFailed(f"{path} is larger than {_FILE_MAX >> 20} MiB", code=exit_codes.USAGE)
    return content
