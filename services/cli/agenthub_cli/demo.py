"""`agenthub demo`: the sample goal through the whole hub, live."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.errors import CommandFailed
from agenthub_cli.hub import Hub
from agenthub_cli.own_hub import own_hub
from agenthub_cli.pulling import pull_goal
from agenthub_cli.show import program
from agenthub_cli.watching import Story, follow_to_rest

REHEARSAL = (
    "REHEARSAL: a scripted model plays the sample goal. Its tool calls, workspaces, tests and failures are real."
)
_DEADLINE_S = 180.0
_COUNTED = ("passed", "failed", "errors", "skipped")


def demo(
    *,
    folder: Annotated[Path, Parameter(help="Where the demo's hubs keep their data")] = Path("var"),
) -> int:
    """Play the sample goal: plan, parallel work, a real failing test, its repair, three gates.

    Starts a hub of its own in a fresh folder, submits the goal over HTTP, tells what happens as it happens, and
    leaves a git repository with the result.
    """
    from agenthub_worker.rehearsal.catalog import SAMPLE_GOALS

    sample = SAMPLE_GOALS[0]
    home = (folder / f"demo-{datetime.now().astimezone():%Y%m%d-%H%M%S}").resolve()
    print(REHEARSAL)
    print(f"Starting nats-server, PostgreSQL and the services on {home} …", flush=True)
    began = time.monotonic()
    with own_hub(
        home, env={"AGENTHUB_PROVIDER": "rehearsal", "ANTHROPIC_API_KEY": "", "AGENTHUB_API_KEYS": ""}
    ) as own:
        print(f"Ready at {own.url} after {time.monotonic() - began:.1f} s\n", flush=True)
        hub = Hub(own.url)
        accepted = hub.post("/goals", {"goal": sample.goal, "requirements": list(sample.requirements)})
        goal = follow_to_rest(hub, accepted["goal_id"], Story(), timeout_s=_DEADLINE_S)
        if goal["status"] != "ready_for_review":
            raise CommandFailed(
                f"The sample goal ended as `{goal['status']}`", hint=f"the logs are in {home / 'logs'}"
            )
        result = pull_goal(hub, goal["goal_id"], home / "result")
        print("\n" + _summary(hub, goal, result, time.monotonic() - began))
    print("\n" + _next(home, goal["goal_id"], result))
    print(REHEARSAL)
    return exit_codes.OK


def _summary(hub: Hub, goal: dict[str, Any], result: Path, seconds: float) -> str:
    goal_id = goal["goal_id"]
    tasks = list(hub.pages(f"/goals/{goal_id}/tasks"))
    gates = list(hub.pages(f"/goals/{goal_id}/gates"))
    events = sum(1 for _ in hub.pages(f"/goals/{goal_id}/events"))
    usage = hub.get(f"/goals/{goal_id}/usage")
    lines = [
        f"“{goal['goal']}” is ready for review after {seconds:.0f} s",
        f"  tasks         {len(tasks)}, attempts {sum(task['attempt'] for task in tasks)}",
        *(f"  gate          {_gate(gate)}" for gate in gates),
        f"  model calls   {usage['calls']} (rehearsal: no cost)",
        f"  events        {events}",
        f"  result        {result}",
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
    if gate["gate"] != "tests":
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
