"""Looking after the hub that runs on this machine: `down`, `status`, `logs` and `open`."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.checked import Calls, Position
from agenthub_cli.client.environment import data_folder, running_hub
from agenthub_cli.client.hub_client import HubClient, running_url
from agenthub_cli.commands.operations.queues import held_lines
from agenthub_cli.errors import CommandFailed
from agenthub_cli.options.common import DataDirOption, Json, Url
from agenthub_cli.program import program
from agenthub_cli.terminal.output import print_json, say

if TYPE_CHECKING:
    from agenthub_runtime.embedded.data_folder import DataDir

_STOP_S = 15.0
_LOOK_S = 0.1
_FOLLOW_S = 0.25
_STATES = ("awaiting_human", "ready_for_review", "running", "planning", "paused", "failed")


def down(*, data_dir: DataDirOption = None, json: Json = False) -> int:
    """Stop the hub that runs on this machine; nothing is lost, and `agenthub up` goes on."""
    data, pid, url = _found(data_dir)
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise CommandFailed(
            f"The hub at {url} (pid {pid}) runs under another account", hint="stop it there"
        ) from error
    deadline = time.monotonic() + _STOP_S
    while data.running_hub() is not None:
        if time.monotonic() > deadline:
            raise CommandFailed(f"The hub at {url} (pid {pid}) has not stopped within {_STOP_S:g} s")
        time.sleep(_LOOK_S)
    print_json({"stopped": url, "data_dir": str(data.root)}) if json else say(f"Stopped {url} on {data.root}")
    return exit_codes.OK


def status(*, url: Url = None, json: Json = False) -> int:
    """Show whether the hub is ready, what its goals do, and what waits for you."""
    hub = HubClient(url)
    goals: dict[str, int] = {}
    for goal in hub.pages("/goals"):
        goals[goal["status"]] = goals.get(goal["status"], 0) + 1
    waiting = sum(1 for _ in hub.pages("/interventions", state="open"))
    letters = sum(1 for _ in hub.pages("/dead-letters", state="open"))
    held = hub.get("/holds")
    if json:
        print_json({"url": hub.url, "goals": goals, "questions": waiting, "dead_letters": letters, "held": held})
        return exit_codes.OK
    order = sorted(goals, key=lambda word: (_STATES.index(word) if word in _STATES else len(_STATES), word))
    say(f"The hub at {hub.url} answers")
    for line in held_lines(held):
        say(f"  held back     {line}")
    say(f"  goals         {', '.join(f'{goals[word]} {word}' for word in order) or 'none yet'}")
    say(f"  questions     {waiting}{': ' + hub.command('inbox') if waiting else ''}")
    say(f"  dead letters  {letters}{': ' + hub.command('dead-letters') if letters else ''}")
    return exit_codes.OK


def logs(
    service: Annotated[
        str | None, Parameter(help="Whose log, such as `orchestrator` or `Worker-1` [default: all there are]")
    ] = None,
    *,
    follow: Annotated[
        bool, Parameter(name=("--follow", "-f"), negative="", help="Go on with what is written")
    ] = False,
    lines: Annotated[Calls, Parameter(name=("--lines", "-n"), help="How many lines of each")] = 20,
    story: Annotated[
        bool, Parameter(negative="", help="Follow what happens to all goals instead, a sentence a line")
    ] = False,
    start: Annotated[
        Position | None,
        Parameter(name="--from", help="Behind which event the story begins [default: from now on]"),
    ] = None,
    data_dir: DataDirOption = None,
) -> int:
    """Show the logs of the hub's processes."""
    if (story and service is not None) or (start is not None and not story):
        raise CommandFailed(
            "--from belongs to --story, and the story is that of the whole hub",
            hint=f"`{program()} logs --story --from 43`, or `{program()} logs gateway --follow`",
            code=exit_codes.USAGE,
        )
    if story:
        from agenthub_cli.commands.hub.all_stories import follow_all

        follow_all(HubClient(None if data_dir is None else running_url(data_dir)), start)
    hub = running_hub(data_dir)
    folder = _folder_of(hub, data_dir).logs
    there = sorted(folder.glob("*.log"))
    chosen = [path for path in there if service is None or path.stem == service]
    if not chosen:
        asked = f"`{service}` has no log" if service and there else "There are no logs"
        names = ", ".join(path.stem for path in there)
        hint = (
            f"there are: {names}" if there else f"`{program()} up` starts a hub; name its folder with --data-dir"
        )
        raise CommandFailed(f"{asked} in {folder}", hint=hint, code=exit_codes.USAGE)
    for path in chosen:
        for line in _last_lines(path, lines):
            _show(path, line, named=len(chosen) > 1)
    if follow:
        _follow(chosen)
    return exit_codes.OK


def open_(*, url: Url = None) -> int:
    """Open the hub in a browser, or say where it is.

    Where the hub asks for a key, the address signs one browser in, once and within two minutes.
    """
    import webbrowser

    hub = HubClient(url)
    link = hub.post("/session/links", {})
    address = f"{hub.url}{link.get('path') or '/'}"
    if not webbrowser.open(address):
        say(address)
    return exit_codes.OK


def _found(data_dir: Path | None) -> tuple[DataDir, int, str]:
    hub = running_hub(data_dir)
    if hub is None:
        raise CommandFailed(
            f"No hub runs on {data_folder(data_dir)}",
            hint=f"`{program()} up` starts one; name another folder with --data-dir",
        )
    return _folder_of(hub, data_dir), hub.pid, hub.url


def _folder_of(hub: object, data_dir: Path | None) -> DataDir:
    from agenthub_runtime.embedded.data_folder import DataDir

    return DataDir(getattr(hub, "data_dir", None) or data_folder(data_dir))


def _last_lines(path: Path, count: int) -> list[str]:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 512 * max(count, 1)))
        text = file.read().decode(errors="replace")
    return text.splitlines()[-count:] if count else []


def _follow(paths: list[Path]) -> None:
    """Until Ctrl-C."""
    places = {path: path.stat().st_size for path in paths}
    while True:
        for path in paths:
            for line in _new_lines(path, places):
                _show(path, line, named=len(paths) > 1)
        time.sleep(_FOLLOW_S)


def _new_lines(path: Path, places: dict[Path, int]) -> Iterator[str]:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        # A log that was begun anew is shorter than before.
        file.seek(places[path] if places[path] <= size else 0)
        data = file.read()
        whole = data.rfind(b"\n") + 1
        places[path] = file.tell() - (len(data) - whole)
    yield from data[:whole].decode(errors="replace").splitlines()


def _show(path: Path, line: str, *, named: bool) -> None:
    say(f"{path.stem}: {line}" if named else line)
