"""Goals as files, and the proof that a goal is as it was written."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.commands.nats.assets import NatsUrl
from agenthub_cli.commands.replay.opening import SUFFIX, history_of, imported_file
from agenthub_cli.errors import CommandFailed
from agenthub_cli.options.common import DataDirOption, Json
from agenthub_cli.program import program
from agenthub_cli.terminal.output import print_json, say
from agenthub_replay.exported import export, open_export, read_export
from agenthub_replay.verifying import Flaw, WholeHistory
from agenthub_replay.verifying import verify as verify_history
from agenthub_runtime.seal_keys import is_seal_key

SealKeys: TypeAlias = Annotated[
    tuple[str, ...],
    Parameter(
        name="--key", negative="", help="A public key that signs the hub's seals, in place of those that are known"
    ),
]


def run_export(goal: str, to: Path | None, nats_url: str | None, data_dir: Path | None, *, json: bool) -> None:
    """`agenthub replay export`."""
    history = asyncio.run(history_of(goal, nats_url, data_dir))
    file = to or Path(f"{history.goal_id}{SUFFIX}")
    data = export(history, version=version("agenthub"))
    _write(file, data)
    counts = {
        "events": len(history.messages),
        "steps": len(history.step_messages),
        "objects": len(history.objects),
    }
    if json:
        print_json({"file": str(file), "goal_id": history.goal_id, "bytes": len(data), **counts})
    else:
        told = ", ".join(f"{count} {what}" for what, count in counts.items())
        say(f"{file}: {told}, {len(data):,} bytes; replay it anywhere with `{program()} replay run {file}`")
        if not history.is_over:
            say("The goal is not over yet: the file holds what has happened so far", aside=True)


def run_import(file: Path, data_dir: Path | None, *, json: bool) -> None:
    """`agenthub replay import`."""
    data = _read(file)
    history = read_export(data)
    kept = imported_file(history.goal_id, data_dir)
    kept.parent.mkdir(parents=True, exist_ok=True)
    _write(kept, data)
    if json:
        print_json({"goal_id": history.goal_id, "file": str(kept), "events": len(history.messages)})
    else:
        say(f"{history.goal_id}: {len(history.messages)} events; `{program()} replay show {history.goal_id}`")


def verify(
    goal: Annotated[str, Parameter(help="Id of the goal, or an exported file")],
    *,
    key: SealKeys = (),
    nats_url: NatsUrl = None,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> int:
    """Prove that nothing of a goal was changed, put in or taken out; exit code 1 names what was."""
    wrong = next((one for one in key if not is_seal_key(one)), None)
    if wrong is not None:
        raise CommandFailed(
            f"`{wrong[:80]}` is no key of seals", hint="64 hexadecimal digits", code=exit_codes.USAGE
        )
    file = Path(goal)
    found = _of_file(_read(file), key) if file.is_file() else _of_goal(goal, key, nats_url, data_dir)
    if json:
        print_json(found)
    else:
        said = f"{len(found.flaws)} flaws" if found.flaws else "whole, nothing was changed"
        say(f"{found.goal_id}: {found.events} events ({found.sealed} sealed), {found.objects} objects: {said}")
        _tell_signatures(found)
        for flaw in found.flaws:
            place = f"event {flaw.seq} " if flaw.seq else ""
            say(f"  {place}{flaw.subject}: {flaw.what}")
    return exit_codes.FAILED if found.flaws else exit_codes.OK


def _tell_signatures(found: WholeHistory) -> None:
    for key in found.signed_by:
        say(f"  signed by {key}")
    if found.unsigned:
        say(f"  {found.unsigned} seals are not signed", aside=True)


def _of_goal(goal: str, keys: tuple[str, ...], nats_url: str | None, data_dir: Path | None) -> WholeHistory:
    return verify_history(asyncio.run(history_of(goal, nats_url, data_dir)), keys)


def _of_file(data: bytes, keys: tuple[str, ...]) -> WholeHistory:
    opened = open_export(data)
    found = verify_history(opened.history, keys)
    of_file = tuple(Flaw(seq=0, subject="the file", what=what) for what in opened.flaws)
    return msgspec.structs.replace(found, flaws=(*of_file, *found.flaws))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}") from error


def _write(file: Path, data: bytes) -> None:
    try:
        file.write_bytes(data)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be written: {error.strerror}") from error
