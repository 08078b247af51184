"""A plan as a file that a person edits: the task list of `--workflow`, sent back as it was left."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agenthub_cli import exit_codes
from agenthub_cli.client.answers import HubAnswer
from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.errors import CommandFailed, reason_of
from agenthub_cli.goals.next_step import waits_for_approval
from agenthub_cli.options.submit_options import task_list
from agenthub_cli.terminal.output import on_terminal, say
from agenthub_runtime.processes.spawn import Process

_SAME = ("title", "details", "agent", "complexity", "acceptance", "requirement_ids", "writes", "changes_tests")
_EDITORS = ("VISUAL", "EDITOR")


def planned_tasks(tasks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The planned tasks as the API takes them back: dependencies by key, and nothing that stands empty."""
    keys = {task["task_id"]: task["key_name"] for task in tasks}
    wanted = []
    for task in tasks:
        if task["kind"] != "work":
            continue
        whole = {
            "key": task["key_name"],
            **{name: task[name] for name in _SAME},
            "depends_on": [keys.get(task_id, task_id) for task_id in task["depends_on"]],
            "estimate_minutes": task["estimate_minutes"],
            "timeout_s": task["timeout_s"],
        }
        wanted.append({name: value for name, value in whole.items() if value})
    return wanted


def edited_plan(hub: HubClient, goal_id: str, env: Mapping[str, str] = os.environ) -> HubAnswer | None:
    """Let the person edit the plan; None when nothing was changed.

    An edit that is refused keeps its text, and the editor opens again with it. Raises `CommandFailed`.
    """
    found = hub.get(f"/goals/{goal_id}/graph")
    before = planned_tasks(found["tasks"])
    if not waits_for_approval(hub.get(f"/goals/{goal_id}")):
        raise CommandFailed(
            f"No plan of {goal_id} waits for approval: it cannot be changed",
            hint=f"ask for changes of the result: {hub.command(f'goal rework {goal_id} …')}",
        )
    path = _written(before, goal_id)
    while True:
        unchanged = path.read_bytes()
        try:
            _opened(path, env)
        finally:
            if path.exists() and path.read_bytes() == unchanged:
                path.unlink()
        if not path.exists():
            return None
        try:
            after = task_list(path)
            told = send_plan(hub, goal_id, found["revision"], after)
        except CommandFailed as refused:
            if not _again(refused, path):
                raise _kept(refused, path, hub, goal_id) from None
            continue
        path.unlink()
        return told


def send_plan(hub: HubClient, goal_id: str, revision: int, tasks: Any) -> HubAnswer:
    """Put another task list in the place of the plan that was seen as `revision`. Raises `CommandFailed`."""
    return hub.post(f"/goals/{goal_id}/plan", {"action": "edit", "revision": revision, "tasks": tasks})


def _written(tasks: list[dict[str, Any]], goal_id: str) -> Path:
    number, name = tempfile.mkstemp(prefix=f"{goal_id}-plan-", suffix=".json")
    with os.fdopen(number, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(tasks), indent=2) + b"\n")
    return Path(name)


def _opened(path: Path, env: Mapping[str, str]) -> None:
    named = next((env[name] for name in _EDITORS if env.get(name, "").strip()), "")
    if not named and not (on_terminal() and sys.stdin is not None and sys.stdin.isatty()):
        raise CommandFailed(
            "There is no terminal for an editor", hint="set EDITOR, or give --file", code=exit_codes.USAGE
        )
    named = named or "vi"
    try:
        with Process([*shlex.split(named), str(path)]) as editor:
            code = editor.wait()
    except (OSError, ValueError) as error:
        raise CommandFailed(
            f"The editor `{named}` cannot be started: {reason_of(error)}", hint="set EDITOR", code=exit_codes.USAGE
        ) from error
    if code != 0:
        raise CommandFailed(f"The editor `{named}` ended with exit code {code}: nothing was sent")


def _again(refused: CommandFailed, path: Path) -> bool:
    """Whether a person at the terminal wants to go on with the text."""
    if sys.stdin is None or not sys.stdin.isatty():
        return False
    say(f"error: {refused}", aside=True)
    say(f"Enter opens it again, anything else leaves it in {path}:", aside=True)
    return sys.stdin.readline().strip("\r\n") == ""


def _kept(refused: CommandFailed, path: Path, hub: HubClient, goal_id: str) -> CommandFailed:
    hint = f"your text is kept; once mended, send it: {hub.command(f'goal plan {goal_id} --file {path}')}"
    return CommandFailed(str(refused), hint=hint, code=refused.code)
