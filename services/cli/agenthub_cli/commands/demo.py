"""`agenthub demo`: the sample goal through the whole hub, live."""

from __future__ import annotations

import os
import re
import shutil
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.client.child_hub import child_hub
from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.errors import CommandFailed
from agenthub_cli.goals.pull import pull_goal
from agenthub_cli.goals.story import TimelinePrinter
from agenthub_cli.goals.watch import follow_to_rest
from agenthub_cli.options.common import Json
from agenthub_cli.program import program
from agenthub_cli.terminal.output import print_json, say
from agenthub_events.gates import GATES

REHEARSAL = (
    "REHEARSAL: a scripted model plays the sample goal. Its tool calls, workspaces, tests and failures are real."
)
_DEADLINE_S = 1_800.0
_HOME = re.compile(r"demo-\d{8}-\d{6}")
_COUNTED = ("passed", "failed", "errors", "skipped")


def demo(
    *,
    folder: Annotated[Path, Parameter(help="Where the demo's hubs keep their data")] = Path("var"),
    clean: Annotated[
        bool, Parameter(negative="", help="Only remove what earlier demos have left there; one that runs stays")
    ] = False,
    json: Json = False,
) -> int:
    """Play the sample goal: plan, parallel work, a real failing test, its repair, three gates.

    Starts a hub of its own in a fresh folder, submits the goal over HTTP, tells what happens as it happens, and
    leaves a git repository with the result. With --json each event is an object, and the summary is the last one.
    """
    if clean:
        return _clean(folder.resolve(), json=json)
    from agenthub_worker.rehearsal.catalog import SAMPLE_GOALS

    sample = SAMPLE_GOALS[0]
    home = (folder / f"demo-{datetime.now().astimezone():%Y%m%d-%H%M%S}").resolve()
    say(REHEARSAL, aside=json)
    say(f"Starting nats-server, PostgreSQL and the services on {home} …", aside=json)
    began = time.monotonic()
    with child_hub(
        home, env={"AGENTHUB_PROVIDER": "rehearsal", "ANTHROPIC_API_KEY": "", "AGENTHUB_API_KEYS": ""}
    ) as own:
        say(f"Ready at {own.url} after {time.monotonic() - began:.1f} s\n", aside=json)
        hub = HubClient(own.url)
        accepted = hub.post("/goals", {"goal": sample.goal, "requirements": list(sample.requirements)})
        goal = follow_to_rest(hub, accepted["goal_id"], TimelinePrinter(json=json), timeout_s=_DEADLINE_S)
        if goal["status"] != "ready_for_review":
            raise CommandFailed(
                f"The sample goal ended as `{goal['status']}`", hint=f"the logs are in {home / 'logs'}"
            )
        result = pull_goal(hub, goal["goal_id"], home / "result")
        summary = _summary(hub, goal, result, time.monotonic() - began)
    if json:
        print_json({**summary, "rehearsal": REHEARSAL})
        return exit_codes.OK
    say(f"\n{_in_lines(summary)}\n\n{_next(home, goal['goal_id'], result)}\n{REHEARSAL}")
    return exit_codes.OK


def _clean(folder: Path, *, json: bool) -> int:
    removed = []
    for home in sorted(folder.glob("demo-*")):
        # Only what a demo has made: its name, and a hub's own file in it.
        if not _HOME.fullmatch(home.name) or not (home / "secret.json").is_file() or home.is_symlink():
            continue
        if _in_use(home):
            say(f"{home} runs, and stays", aside=json)
            continue
        try:
            shutil.rmtree(home)
        except OSError as error:
            raise CommandFailed(f"{home} cannot be removed: {error}", hint="remove it by hand") from error
        removed.append(str(home))
    if json:
        print_json({"removed": removed})
    else:
        say("\n".join(f"Removed {home}" for home in removed) or f"No demo has left anything in {folder}")
    return exit_codes.OK


def _in_use(home: Path) -> bool:
    """Whether a hub holds the folder, also one that has not announced itself yet."""
    from agenthub_runtime.file_lock import try_lock

    try:
        descriptor = os.open(home / "lock", os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not try_lock(descriptor, shared=True)
    finally:
        os.close(descriptor)


def _summary(hub: HubClient, goal: dict[str, Any], result: Path, seconds: float) -> dict[str, Any]:
    goal_id = goal["goal_id"]
    tasks = list(hub.pages(f"/goals/{goal_id}/tasks"))
    return {
        "goal_id": goal_id,
        "goal": goal["goal"],
        "status": goal["status"],
        "seconds": round(seconds, 1),
        "tasks": len(tasks),
        "attempts": sum(task["attempt"] for task in tasks),
        "gates": list(hub.pages(f"/goals/{goal_id}/gates")),
        "model_calls": hub.get(f"/goals/{goal_id}/usage")["calls"],
        "events": sum(1 for _ in hub.pages(f"/goals/{goal_id}/events")),
        "result": str(result),
    }


def _in_lines(summary: dict[str, Any]) -> str:
    lines = [
        f"“{summary['goal']}” is ready for review after {summary['seconds']:.0f} s",
        f"  tasks         {summary['tasks']}, attempts {summary['attempts']}",
        *(f"  gate          {_gate(gate)}" for gate in summary["gates"]),
        f"  model calls   {summary['model_calls']} (rehearsal: no cost)",
        f"  events        {summary['events']}",
        f"  result        {summary['result']}",
    ]
    return "\n".join(lines)


def _gate(gate: dict[str, Any]) -> str:
    facts = [f"round {gate['round']}", gate["verdict"]]
    if gate["exit_code"] is not None:
        facts.append(f"exit code {gate['exit_code']}")
    if gate["counted"]:
        facts.append(", ".join(f"{gate[word]} {word}" for word in _COUNTED if gate[word]))
    if gate["coverage_percent"] is not None:
        facts.append(f"{gate['coverage_percent']:.0f}% coverage")
    if (mutants := gate["mutants"]) and mutants["tried"]:
        facts.append(f"{mutants['noticed']} of {mutants['tried']} mutants noticed")
    if GATES[gate["gate"]].rests_on != "test_run":
        found = len(gate["findings"])
        facts.append(f"{found} finding" if found == 1 else f"{found} findings")
    return f"{gate['gate']:<9} {' · '.join(facts)}"


def _next(home: Path, goal_id: str, result: Path) -> str:
    return "\n".join(
        (
            f"Read the code:     git -C {result} log --stat",
            f"Go on with it:     {program()} up --data-dir {home}",
            f"then accept it:    {program()} goal approve {goal_id} --url http://127.0.0.1:8000",
            "Your own goals:    set ANTHROPIC_API_KEY, then `make up`",
        )
    )
