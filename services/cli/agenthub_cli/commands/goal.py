"""`agenthub goal …`: submit a goal, watch it, and say what a person has to say about it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from cyclopts import App, Parameter

from agenthub_cli import exit_codes
from agenthub_cli.checked import Calls, Count, Dollars, Seconds
from agenthub_cli.client.hub_client import HubClient, hub_and_goal
from agenthub_cli.client.names import GoalId, TaskName
from agenthub_cli.client.wording import told
from agenthub_cli.errors import CommandFailed
from agenthub_cli.goals.next_step import follow_command, next_command, waits_for_approval
from agenthub_cli.goals.summary import checked_lines, requirement_lines, summary, understood
from agenthub_cli.goals.transcript import transcript
from agenthub_cli.goals.views import diff, log, plan, trace
from agenthub_cli.options.common import Json, Key, Url
from agenthub_cli.options.submit_options import NO_SUBMIT_OPTIONS, PriorityWord, SubmitOptions
from agenthub_cli.program import program
from agenthub_cli.terminal.output import confirmed, print_json, print_rows, say

Reason: TypeAlias = Annotated[str, Parameter(help="Why, in your words; it stands in the log")]

Lines: TypeAlias = Annotated[bool, Parameter(negative="", help="Lines instead of a tree, also on a terminal")]
Verbose: TypeAlias = Annotated[
    bool, Parameter(name=("--verbose", "-v"), negative="", help="Also every tool that an agent calls")
]

app = App(name="goal", help="Submit goals, watch them, and decide about their results.")
for view in (diff, log, plan, trace, transcript):
    app.command(view)


@app.command
def submit(
    goal: Annotated[str, Parameter(help="What is to be reached, in plain words")],
    *,
    options: SubmitOptions = NO_SUBMIT_OPTIONS,
    watch: Annotated[
        bool, Parameter(negative="", help="Follow the goal until it needs nobody or somebody")
    ] = False,
    dry_run: Annotated[
        bool, Parameter(negative="", help="Say what it would be understood as, and submit nothing")
    ] = False,
    lines: Lines = False,
    verbose: Verbose = False,
    key: Key = None,
    url: Url = None,
    json: Json = False,
) -> int:
    """Submit a goal."""
    if not goal.strip():
        raise CommandFailed(
            "A goal needs a sentence",
            hint=f'say what is to be reached: `{program()} goal submit "Build a parser for dates"`',
            code=exit_codes.USAGE,
        )
    hub = HubClient(url)
    body = {"goal": goal, **options.body()}
    if dry_run:
        return _checked(hub, body, watch=watch, json=json)
    answer = hub.post("/goals", body, key=key)
    if json and not watch:
        print_json(answer)
    elif not json:
        say(f"Goal {answer['goal_id']} is {answer['status']}; {understood(answer['understood'])}")
    if watch:
        from agenthub_cli.goals.watch import watch_goal

        return watch_goal(hub, answer["goal_id"], json=json, lines=lines, verbose=verbose)
    if not json:
        follow = hub.command(f"goal watch {answer['goal_id']}")
        say(f"Follow it with: {follow}")
    return exit_codes.OK


def _checked(hub: HubClient, body: dict[str, Any], *, watch: bool, json: bool) -> int:
    """What the goal would be understood as; 2 when it would be refused."""
    if watch:
        raise CommandFailed(
            "--dry-run submits nothing that --watch could follow", hint="give one of them", code=exit_codes.USAGE
        )
    found = hub.post("/goals/check", body)
    if json:
        print_json(found)
    elif found["refusals"]:
        raise CommandFailed(told("", found["refusals"]), code=exit_codes.USAGE)
    else:
        say("\n".join(checked_lines(found)))
    return exit_codes.USAGE if found["refusals"] else exit_codes.OK


@app.command(name="list")
def list_(
    *,
    status: Annotated[str | None, Parameter(help="Only goals in this state")] = None,
    limit: Annotated[Count, Parameter(help="How many at most")] = 20,
    url: Url = None,
    json: Json = False,
) -> None:
    """List goals, the newest first."""
    hub = HubClient(url)
    rows = hub.pages("/goals", limit=limit, status=status)
    first = hub.command('goal submit "…"')
    empty = f"No goal is {status}" if status else f"No goals yet: `{first}`"
    if json:
        for row in rows:
            print_json(row)
    else:
        print_rows(rows, ("goal_id", "status", "goal"), empty=empty)


@app.command
def show(goal_id: GoalId, *, url: Url = None, json: Json = False) -> None:
    """Show one goal with its tasks and gates."""
    hub, goal_id = hub_and_goal(url, goal_id)
    goal = hub.get(f"/goals/{goal_id}")
    tasks = list(hub.pages(f"/goals/{goal_id}/tasks"))
    gates = list(hub.pages(f"/goals/{goal_id}/gates"))
    if json:
        print_json({**goal, "tasks": tasks, "gates": gates})
        return
    say(f"{goal['goal']}\n{goal_id} is {goal['status']}\n{summary(goal, datetime.now(UTC))}\n")
    for line in requirement_lines(goal):
        say(line)
    if hosts := goal["constraints"].get("network"):
        say(f"Its commands may reach {', '.join(hosts)}\n")
    for words in goal.get("left_out", ()):
        say(f"Left out: {words}\n")
    print_rows(tasks, ("task_id", "status", "agent", "attempt", "title"), empty="No tasks yet")
    for task in tasks:
        if task["changes_tests"]:
            wanted = ", ".join(task["requirement_ids"]) or "no requirement is named"
            say(f"{task['task_id']} may change earlier tests ({wanted}): {', '.join(task['changes_tests'])}")
    if gates:
        say()
        print_rows(gates, ("gate", "round", "verdict", "commit_id", "summary"), empty="")
    for words in goal.get("why", ()):
        say(f"\n{words}")
    if waits_for_approval(goal):
        say(f"\n{next_command(hub, goal)}")


@app.command
def watch(
    goal_id: GoalId,
    *,
    from_: Annotated[
        str | None,
        Parameter(name="--from", help="Start behind this sequence, or `now`; default: the goal's beginning"),
    ] = None,
    timeout: Annotated[Seconds | None, Parameter(help="Give up after so many seconds (exit code 124)")] = None,
    lines: Lines = False,
    verbose: Verbose = False,
    url: Url = None,
    json: Json = False,
) -> int:
    """Follow a goal live until it is finished or waits for a person.

    On a terminal it is a tree that changes in place, and a question can be answered there; elsewhere a line is
    printed for everything that happens. Ctrl-C ends the watching, not the goal.
    """
    from agenthub_cli.goals.watch import beginning, watch_goal

    hub, goal_id = hub_and_goal(url, goal_id)
    start = beginning(hub, goal_id, from_)
    return watch_goal(hub, goal_id, json=json, lines=lines, verbose=verbose, timeout_s=timeout, start=start)


@app.command
def approve(goal_id: GoalId, *, key: Key = None, url: Url = None, json: Json = False) -> None:
    """Accept the result of a goal that is ready for review."""
    hub, goal_id = hub_and_goal(url, goal_id)
    goal = hub.get(f"/goals/{goal_id}")
    if not goal["ready_seq"]:
        raise CommandFailed(
            f"Goal {goal_id} is {goal['status']}: there is no result to approve yet",
            hint=f"follow it with {hub.command(f'goal watch {goal_id}')}",
        )
    body = {"ready_seq": goal["ready_seq"]}
    _print_result(hub.post(f"/goals/{goal_id}/approve", body, key=key), f"Goal {goal_id} is approved", json=json)


@app.command
def rework(
    goal_id: GoalId,
    feedback: Annotated[str, Parameter(help="What is to be changed")],
    *,
    priority: Annotated[PriorityWord | None, Parameter(help="From now on; default: as it is")] = None,
    key: Key = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Ask for changes; the goal goes on, on the same branch."""
    body = _given(feedback=feedback, priority=priority)
    hub, goal_id = hub_and_goal(url, goal_id)
    answer = hub.post(f"/goals/{goal_id}/rework", body, key=key)
    _print_result(
        answer,
        f"Rework {answer['rework_id']} is accepted\nFollow it with: {follow_command(hub, answer)}",
        json=json,
    )


@app.command
def approve_plan(goal_id: GoalId, *, key: Key = None, url: Url = None, json: Json = False) -> None:
    """Let the plan of a goal begin that was submitted with `--autonomy approve_plan`."""
    hub, goal_id = hub_and_goal(url, goal_id)
    body = {"action": "approve", "revision": hub.get(f"/goals/{goal_id}")["revision"]}
    _print_result(
        hub.post(f"/goals/{goal_id}/plan", body, key=key), f"The plan of {goal_id} is approved", json=json
    )


@app.command
def budget(
    goal_id: GoalId,
    *,
    max_llm_calls: Annotated[Calls | None, Parameter(help="New limit of model calls")] = None,
    max_cost_usd: Annotated[Dollars | None, Parameter(help="New limit of money")] = None,
    key: Key = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Raise what a goal may spend; a limit is never lowered."""
    body = _given(max_llm_calls=max_llm_calls, max_cost_usd=max_cost_usd)
    if not body:
        raise CommandFailed("Nothing is raised", hint="--max-llm-calls or --max-cost-usd", code=exit_codes.USAGE)
    hub, goal_id = hub_and_goal(url, goal_id)
    answer = hub.post(f"/goals/{goal_id}/budget", body, key=key)
    _print_result(answer, f"The budget of {goal_id} is raised", json=json)


@app.command
def note(
    goal_id: GoalId,
    task: TaskName,
    text: Annotated[str, Parameter(help="What the agent should know at its next step")],
    *,
    key: Key = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Say a word to a running agent."""
    hub, goal_id = hub_and_goal(url, goal_id)
    task_id = hub.task_id(goal_id, task)
    answer = hub.post(f"/goals/{goal_id}/tasks/{task_id}/note", {"text": text}, key=key)
    _print_result(answer, f"{task_id} reads it at its next step", json=json)


@app.command
def cancel(goal_id: GoalId, *, reason: Reason = "", key: Key = None, url: Url = None, json: Json = False) -> None:
    """Stop a goal for good."""
    hub, goal_id = hub_and_goal(url, goal_id)
    answer = hub.post(f"/goals/{goal_id}/cancel", _given(reason=reason or None), key=key)
    _print_result(answer, f"Goal {goal_id} is cancelled", json=json)


@app.command
def erase(
    goal_id: GoalId,
    *,
    yes: Annotated[bool, Parameter(negative="", help="Do not ask whether this is meant")] = False,
    reason: Reason = "",
    key: Key = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Erase what a finished goal keeps beside the log: runs, logs, reports, code, declared secrets."""
    hub, goal_id = hub_and_goal(url, goal_id)
    if not yes and not confirmed(goal_id):
        raise CommandFailed(
            f"Nothing of {goal_id} was erased", hint="type its id when asked, or add --yes", code=exit_codes.USAGE
        )
    answer = hub.post(f"/goals/{goal_id}/erase", {"confirm": goal_id, "reason": reason}, key=key)
    _print_result(answer, f"What {goal_id} kept beside the log is erased; its events stay", json=json)


@app.command
def pause(goal_id: GoalId, *, reason: Reason = "", key: Key = None, url: Url = None, json: Json = False) -> None:
    """Start nothing new on a goal; running work is put aside and kept."""
    hub, goal_id = hub_and_goal(url, goal_id)
    answer = hub.post(f"/goals/{goal_id}/pause", _given(reason=reason or None), key=key)
    _print_result(
        answer, f"Goal {goal_id} is paused; go on with: {hub.command(f'goal resume {goal_id}')}", json=json
    )


@app.command
def resume(goal_id: GoalId, *, key: Key = None, url: Url = None, json: Json = False) -> None:
    """Go on with a paused goal."""
    hub, goal_id = hub_and_goal(url, goal_id)
    # With a key it may be the same command again, and what it did is told again.
    if key is None and not _is_paused(hub, goal_id):
        raise CommandFailed(
            f"Goal {goal_id} is not paused: it is {hub.get(f'/goals/{goal_id}')['status']}",
            hint=f"look at it with {hub.command(f'goal show {goal_id}')}",
        )
    answer = hub.post(f"/goals/{goal_id}/resume", {}, key=key)
    _print_result(answer, f"Goal {goal_id} goes on", json=json)


@app.command
def pull(
    goal_id: GoalId,
    folder: Annotated[Path | None, Parameter(help="Where to; default: a new folder named after the goal")] = None,
    *,
    url: Url = None,
    json: Json = False,
) -> None:
    """Clone the branch of a goal into a new git repository."""
    from agenthub_cli.goals.pull import pull_goal

    hub, goal_id = hub_and_goal(url, goal_id)
    target = pull_goal(hub, goal_id, folder or Path(goal_id))
    _print_result({"goal_id": goal_id, "path": str(target)}, f"The result is in {target}", json=json)


@app.command
def apply(
    goal_id: GoalId,
    folder: Annotated[Path, Parameter(help="The repository; default: the one here")] = Path(),
    *,
    branch: Annotated[str | None, Parameter(help="Name of the branch [default: goal/<id>]")] = None,
    checkout: Annotated[bool, Parameter(negative="", help="Switch to the branch as well")] = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Put the result into a repository of yours as a branch; nothing else there is touched."""
    from agenthub_cli.goals.pull import apply_goal

    hub, goal_id = hub_and_goal(url, goal_id)
    name = branch or f"goal/{goal_id}"
    commit = apply_goal(hub, goal_id, folder, name, checkout=checkout)
    _print_result(
        {"goal_id": goal_id, "branch": name, "commit": commit},
        f"The result is the branch {name} at {commit[:12]}",
        json=json,
    )


def _is_paused(hub: HubClient, goal_id: str) -> bool:
    """By the log: a read model may not have come as far as a pause that somebody has just asked for."""
    last = [event["type"] for event in hub.pages(f"/goals/{goal_id}/events", type=["goal.paused", "goal.resumed"])]
    return last[-1:] == ["goal.paused"]


def _print_result(answer: Any, sentence: str, *, json: bool) -> None:
    if json:
        print_json(answer)
    else:
        say(sentence)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
