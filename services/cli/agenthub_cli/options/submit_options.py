"""What a person wishes for beside the goal itself, as options of a submission."""

from __future__ import annotations

import os
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.checked import Calls, Dollars, Percent, one_of
from agenthub_cli.errors import CommandFailed
from agenthub_cli.options.common import PriorityWord
from agenthub_events.rules.blank import is_blank

# No request may be larger.
_FILE_MAX = 4 << 20
_LIMITS = ("max_time", "max_cost_usd", "max_llm_calls", "min_coverage", "security_audit", "mutants", "network")


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SubmitOptions:
    """What is not given is left to the hub's defaults."""

    requirements: Annotated[
        list[str] | None,
        Parameter(name=("--requirement", "-r"), negative="", help="What the result has to meet; repeat it"),
    ] = None
    priority: Annotated[
        PriorityWord | None, Parameter(converter=one_of, help="Place in the queues [default: normal]")
    ] = None
    repository: Annotated[
        str | None,
        Parameter(help="Git repository to work on: a folder such as `.`, or an address; default: an empty one"),
    ] = None
    ref: Annotated[
        str | None, Parameter(help="Branch, tag or full commit id to start from; default: the repository's HEAD")
    ] = None
    deliver: Annotated[
        Literal["none", "branch", "pull-request"] | None,
        Parameter(
            help="What happens to the approved result; default: what the hub has a token for, in a folder nothing"
        ),
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
    check: Annotated[
        list[str] | None,
        Parameter(
            negative="",
            help="`NAME=COMMAND` that must end well beside the tests; repeat it [default: the repository's]",
        ),
    ] = None
    max_time: Annotated[str | None, Parameter(help="For example `4 hours` [default: 7 days]")] = None
    max_cost_usd: Annotated[Dollars | None, Parameter(help="Limit of money [default: 50]")] = None
    max_llm_calls: Annotated[Calls | None, Parameter(help="Limit of model calls [default: 500]")] = None
    min_coverage: Annotated[
        Percent | None,
        Parameter(help="Percent that the tests must cover; 0: none [default: what the words demand]"),
    ] = None
    security_audit: Annotated[bool | None, Parameter(help="Whether to audit, whatever the words seem to ask")] = (
        None
    )
    mutants: Annotated[
        Literal["on", "off"] | None,
        Parameter(converter=one_of, help="Whether the tests must notice broken code [default: on]"),
    ] = None
    network: Annotated[
        list[str] | None,
        Parameter(
            negative="",
            help="`HOST` or `HOST:PORT` that agents and tests may reach by HTTP; repeat it [default: none]",
        ),
    ] = None
    autonomy: Annotated[
        Literal["full", "approve_plan"] | None,
        Parameter(
            converter=one_of,
            help="`approve_plan` waits for `agenthub goal approve-plan` before work begins [default: full]",
        ),
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
        """The fields of the request. Raises `CommandFailed` for what names nothing, or cannot be read."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        _refuse_blanks(given)
        limits = {name: given.pop(name) for name in _LIMITS if name in given}
        if self.repository is not None:
            given["repository"] = _repository(self.repository)
        if self.deliver is not None:
            given["deliver"] = self.deliver.replace("-", "_")
        if self.check is not None:
            given["checks"] = [_check(text) for text in given.pop("check")]
        if self.secrets is not None:
            given["secrets"] = [line for line in _text(self.secrets).splitlines() if line.strip()]
        if self.workflow is not None:
            given["workflow"] = task_list(self.workflow)
        return {**given, "constraints": limits} if limits else given


NO_SUBMIT_OPTIONS = SubmitOptions()


def _refuse_blanks(given: dict[str, Any]) -> None:
    """An empty variable of a script is no wish for the default. Raises `CommandFailed` that names each."""
    blank = [
        f"--{name.removesuffix('s') if name == 'requirements' else name}".replace("_", "-")
        for name, value in given.items()
        if any(
            isinstance(text, str) and is_blank(text) for text in (value if isinstance(value, list) else [value])
        )
    ]
    if blank:
        raise CommandFailed(
            f"{', '.join(blank)} {'is' if len(blank) == 1 else 'are'} blank",
            hint=f"say what it is, or leave {' and '.join(blank)} out",
            code=exit_codes.USAGE,
        )


def _repository(text: str) -> str:
    """An address as it is; a folder as the whole path of the repository that it lies in."""
    from agenthub_runtime.remotes.address import is_remote

    if is_remote(text) or text.startswith("file://"):
        return text
    path = Path(os.path.realpath(os.path.expanduser(text)))
    if not os.path.isdir(path):
        raise CommandFailed(
            f"--repository {text}: {path} is {'no folder' if os.path.exists(path) else 'not there'}",
            hint="give the folder of a git repository, or an address such as https://host/owner/name.git",
            code=exit_codes.USAGE,
        )
    inside = (folder for folder in (path, *path.parents) if (folder / ".git").exists())
    return str(path if (path / "HEAD").is_file() else next(inside, path))


def _check(text: str) -> dict[str, str]:
    name, sign, command = text.partition("=")
    if not sign or is_blank(name) or is_blank(command):
        raise CommandFailed(
            f"--check {text!r} names no command", hint="say --check lint='ruff check .'", code=exit_codes.USAGE
        )
    return {"name": name.strip(), "command": command.strip()}


def task_list(path: Path) -> Any:
    """The task list in a JSON file. Raises `CommandFailed` when there is none."""
    content = _read(path)
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise CommandFailed(f"{path} is written in UTF-16", hint="save it as UTF-8", code=exit_codes.USAGE)
    try:
        return msgspec.json.decode(content.removeprefix(BOM_UTF8))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CommandFailed(
            f"{path} is no JSON: {error}", hint="give a JSON list of tasks", code=exit_codes.USAGE
        ) from error


def _text(path: Path) -> str:
    try:
        return _read(path).removeprefix(BOM_UTF8).decode()
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
