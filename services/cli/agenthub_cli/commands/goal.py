"""`agenthub goal …`: submit a goal, watch it, and say what a person has to say about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeAlias

from cyclopts import App, Parameter

from agenthub_cli import exit_codes
from agenthub_cli.checked import Calls, Count, Dollars, Id, Seconds
from agenthub_cli.client.hub_client import HubClient, Json, Key, Url
from agenthub_cli.errors import CommandFailed
from agenthub_cli.goals.transcript import transcript
from agenthub_cli.goals.views import diff, log, plan
from agenthub_cli.goals.watch import (
    beginning,
    follow_command,
    next_command,
    waits_for_approval,
    watch_goal,
)
from agenthub_cli.options.submit_options import NO_SUBMIT_OPTIONS, PriorityWord, SubmitOptions
from agenthub_cli.terminal.output import confirmed, print_json, print_rows, program, say

GoalId: TypeAlias = Annotated[Id, Parameter(help="Id of the goal (`agenthub goal list` shows them)")]
Reason: TypeAlias = Annotated[str, Parameter(help="Why, in your words; it stands in the log")]

app = App(name="goal", help="Submit goals, watch them, and decide about their results.")
for view in (diff, log, plan, transcript):
    app.command(view)


@app.command
def submit(
    goal: Annotated[str, Parameter(help="What is to be reached, in plain words")],
    *,
    options: SubmitOptions = NO_SUBMIT_OPTIONS,
    watch: Annotated[
        bool, Parameter(negative="", help="Follow the goal until it needs nobody or somebody")
    ] = False,
    key: Key = None,
    url: Url = None,
    json: Json = False,
) -> int:
    """Submit a goal."""
    if not goal.strip():
        raise CommandFailed(
            "A goal needs a sentence",
            hint='say what is to be reached: `agenthub goal submit "Build a parser for dates"`',
            code=exit_codes.USAGE,
        )
    hub = HubClient(url)
    answer = hub.post("/goals", {"goal": goal, **options.body()}, key=key)
    if json and not watch:
        print_json(answer)
    elif not json:
        say(f"Goal {answer['goal_id']} is {answer['status']}")
    if watch:
        return watch_goal(hub, answer["goal_id"], json=json)
    if not json:
        say(f"Follow it with: {program()} goal watch {answer['goal_id']}")
    return exit_codes.OK


@app.command(name="list")
def list_(
    *,
    status: Annotated[str | None, Parameter(help="Only goals in this state")] = None,
    limit: Annotated[Count, Parameter(help="How many at most")] = 20,
    url: Url = None,
    json: Json = False,
) -> None:
    """List goals, the newest first."""
    rows = HubClient(url).pages("/goals", limit=limit, status=status)
    empty = f"No goal is {status}" if status else f'No goals yet: `{program()} goal submit "…"`'
    if json:
        for row in rows:
            print_json(row)
    else:
        print_rows(rows, ("goal_id", "status", "goal"), empty=empty)


@app.command
def show(goal_id: GoalId, *, url: Url = None, json: Json = False) -> None:
    """Show one goal with its tasks and gates."""
    hub = HubClient(url)
    goal_id = hub.goal_id(goal_id)
    goal = hub.get(f"/goals/{goal_id}")
    tasks = list(hub.pages(f"/goals/{goal_id}/tasks"))
    gates = list(hub.pages(f"/goals/{goal_id}/gates"))
    if json:
        print_json({**goal, "tasks": tasks, "gates": gates})
        return
    say(f"{goal['goal']}\n{goal_id} is {goal['status']}\n")
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
        say(f"\n{next_command(goal)}")


@app.command
def watch(
    goal_id: GoalId,
    *,
    from_: Annotated[
        str | None,
        Parameter(name="--from", help="Start behind this sequence, or `now`; default: the goal's beginning"),
    ] = None,
    timeout: Annotated[Seconds | None, Parameter(help="Give up after so many seconds (exit code 124)")] = None,
    url: Url = None,
    json: Json = False,
) -> int:
    """Follow a goal live until it is finished or waits for a person."""
    hub = HubClient(url)
    goal_id = hub.goal_id(goal_id)
    return watch_goal(hub, goal_id, json=json, timeout_s=timeout, start=beginning(hub, goal_id, from_))


@app.command
def approve(goal_id: GoalId, *, key: Key = None, url: Url = None, json: Json = False) -> None:
    """Accept the result of a goal that is ready for review."""
    hub = HubClient(url)
    goal = hub.get(f"/goals/{goal_id}")
    body = _given(ready_seq=goal.get("ready_seq"))
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
    answer = HubClient(url).post(f"/goals/{goal_id}/rework", body, key=key)
    _print_result(
        answer,
        f"Rework {answer['rework_id']} is accepted\nFollow it with: {follow_command(answer)}",
        json=json,
    )


@app.command
def approve_plan(goal_id: GoalId, *, key: Key = None, url: Url = None, json: Json = False) -> None:
    """Let the plan of a goal begin that was submitted with `--autonomy approve_plan`."""
    hub = HubClient(url)
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
    _print_result(
        HubClient(url).post(f"/goals/{goal_id}/budget", body, key=key),
        f"The budget of {goal_id} is raised",
        json=json,
    )


@app.command
def note(
    goal_id: GoalId,
    task_id: Annotated[Id, Parameter(help="Id of the running task (`agenthub goal show`)")],
    text: Annotated[str, Parameter(help="What the agent should know at its next step")],
    *,
    key: Key = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Say a word to a running agent."""
    answer = HubClient(url).post(f"/goals/{goal_id}/tasks/{task_id}/note", {"text": text}, key=key)
    _print_result(answer, f"{task_id} reads it at its next step", json=json)


@app.command
def cancel(goal_id: GoalId, *, reason: Reason = "", key: Key = None, url: Url = None, json: Json = False) -> None:
    """Stop a goal for good."""
    answer = HubClient(url).post(f"/goals/{goal_id}/cancel", _given(reason=reason or None), key=key)
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
    if not yes and not confirmed(goal_id):
        raise CommandFailed(
            f"Nothing of {goal_id} was erased", hint="type its id when asked, or add --yes", code=exit_codes.USAGE
        )
    answer = HubClient(url).post(f"/goals/{goal_id}/erase", {"confirm": goal_id, "reason": reason}, key=key)
    _print_result(answer, f"What {goal_id} kept beside the log is erased; its events stay", json=json)


@app.command
def pause(goal_id: GoalId, *, reason: Reason = "", key: Key = None, url: Url = None, json: Json = False) -> None:
    """Start nothing new on a goal; running work is put aside and kept."""
    answer = HubClient(url).post(f"/goals/{goal_id}/pause", _given(reason=reason or None), key=key)
    _print_result(answer, f"Goal {goal_id} is paused; go on with: {program()} goal resume {goal_id}", json=json)


@app.command
def resume(goal_id: GoalId, *, key: Key = None, url: Url = None, json: Json = False) -> None:
    """Go on with a paused goal."""
    _print_result(
        HubClient(url).post(f"/goals/{goal_id}/resume", {}, key=key), f"Goal {goal_id} goes on", json=json
    )


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

    target = pull_goal(HubClient(url), goal_id, folder or Path(goal_id))
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

    name = branch or f"goal/{goal_id}"
    commit = apply_goal(HubClient(url), goal_id, folder, name, checkout=checkout)
    _print_result(
        {"goal_id": goal_id, "branch": name, "commit": commit},
        f"The result is the branch {name} at {commit[:12]}",
        json=json,
    )


def _print_result(answer: Any, sentence: str, *, json: bool) -> None:
    if json:
        print_json(answer)
    else:
        say(sentence)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
