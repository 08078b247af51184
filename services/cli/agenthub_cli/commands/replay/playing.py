"""Plays goals again and tells what differs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agenthub_cli import exit_codes
from agenthub_cli.commands.replay.opening import history_of, source_of
from agenthub_cli.terminal.output import print_json, say
from agenthub_replay.history import load
from agenthub_replay.playing.bounds import change_of
from agenthub_replay.playing.decisions import PolicyChange
from agenthub_replay.playing.differences import Replayed
from agenthub_replay.playing.replaying import replay

_SIDE_MAX = 2_000


def run_again(goal: str, nats_url: str | None, data_dir: Path | None, *, json: bool) -> int:
    """`agenthub replay run`."""

    async def work() -> Replayed:
        return await replay(await history_of(goal, nats_url, data_dir))

    replayed = asyncio.run(work())
    if json:
        print_json(replayed)
    else:
        _tell(replayed)
    return exit_codes.FAILED if replayed.differences else exit_codes.OK


def run_policy(
    since: int, changes: Sequence[str], nats_url: str | None, data_dir: Path | None, *, json: bool
) -> int:
    """`agenthub replay policy`."""
    change = change_of(changes)
    differing = asyncio.run(_all(since, change, nats_url, data_dir, json=json))
    return exit_codes.FAILED if differing else exit_codes.OK


async def _all(
    since: int, change: PolicyChange, nats_url: str | None, data_dir: Path | None, *, json: bool
) -> int:
    goals = differing = decisions = 0
    async with source_of(nats_url, data_dir) as source:
        for goal_id in await source.goals(since=since):
            replayed = await replay(await load(source, goal_id), change)
            goals, decisions = goals + 1, decisions + replayed.decisions
            differing += bool(replayed.differences)
            if json:
                print_json(replayed)
            else:
                first = replayed.differences[0] if replayed.differences else None
                said = f"{first.kind} at {first.seq}: {first.what}" if first else "the same"
                say(f"{goal_id}  {replayed.decisions:>5} decisions, {len(replayed.differences)} differ  {said}")
    if not json:
        say(f"{goals} goals, {decisions} decisions: {differing} goals would have gone differently")
    return differing


def _tell(replayed: Replayed) -> None:
    say(
        f"{replayed.goal_id}: {replayed.decisions} decisions, {replayed.requests} model requests and"
        f" {replayed.moves} moves played again, {len(replayed.differences)} differ; nobody was asked anything"
    )
    if replayed.unrecorded:
        say(f"{replayed.unrecorded} decisions are from a time when not all of their inputs were recorded")
    for name in replayed.missing:
        say(f"not compared, an object is gone: {name}")
    if replayed.differences:
        first = replayed.differences[0]
        say()
        say(f"The first difference: {first.kind} {first.what} in {first.where} at {first.seq or 'its end'}")
        say(f"  recorded: {first.recorded[:_SIDE_MAX] or '(nothing)'}")
        say(f"  today:    {first.replayed[:_SIDE_MAX] or '(nothing)'}")
        counted = msgspec.to_builtins(replayed)["differences"]
        kinds = sorted({str(found["kind"]) for found in counted})
        say(f"All of them with --json; kinds: {', '.join(kinds)}")
