"""`agenthub replay`: what was, why it was so, and what today's code would do.

Every command but `fork` reads a hub's streams, or the file of an exported goal, and can change neither. `fork`
asks a hub for a new goal, as `goal submit` does.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import App, Parameter

from agenthub_cli.checked import Count, NewLimit, Position
from agenthub_cli.client.names import GoalId
from agenthub_cli.commands.nats.assets import NatsUrl
from agenthub_cli.options.common import DataDirOption, Json, Key, Url

app = App(name="replay", help="Look at a goal as it was, ask why, and play it again with today's code.")

DatabaseUrl: TypeAlias = Annotated[
    str | None, Parameter(name="--database-url", env_var="DATABASE_URL", help="Default: the running hub's")
]
GoalOrFile: TypeAlias = Annotated[str, Parameter(help="Id of the goal, or an exported file")]


@app.command
def show(
    goal: GoalOrFile,
    *,
    at_seq: Annotated[Position | None, Parameter(help="As of this event of the log")] = None,
    at_time: Annotated[datetime | None, Parameter(help="As of this moment, e.g. 2026-01-31T10:00:00")] = None,
    nats_url: NatsUrl = None,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> None:
    """Show the history of a goal up to an event or a moment, and how it stood then; default: now."""
    from agenthub_cli.commands.replay.looking import run_show

    run_show(goal, at_seq, at_time, nats_url, data_dir, json=json)


@app.command
def why(
    goal: GoalOrFile,
    of: Annotated[str, Parameter(help="An event's sequence, a task's id, or a line: auth/jwt.py:42")],
    *,
    nats_url: NatsUrl = None,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> None:
    """Show what an event, a task or a line of the result follows from, back to the words of the goal."""
    from agenthub_cli.commands.replay.looking import run_why

    run_why(goal, of, nats_url, data_dir, json=json)


@app.command
def diff(
    goal: GoalOrFile,
    *,
    from_seq: Annotated[Position, Parameter(name="--from", help="The earlier event")],
    to_seq: Annotated[Position, Parameter(name="--to", help="The later event")],
    nats_url: NatsUrl = None,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> None:
    """Show what has happened and what has changed between two events."""
    from agenthub_cli.commands.replay.looking import run_diff

    run_diff(goal, from_seq, to_seq, nats_url, data_dir, json=json)


@app.command
def fork(
    goal: GoalId,
    *,
    at_seq: Annotated[Count, Parameter(help="The event of the goal that is the last one to count")],
    model: Annotated[str | None, Parameter(help="Model that does all the work [default: as before]")] = None,
    prompt: Annotated[str | None, Parameter(help="What every agent is told, beside the goal's words")] = None,
    plan: Annotated[
        Path | None, Parameter(help="JSON file with tasks in the place of all that had not ended")
    ] = None,
    budget: Annotated[
        NewLimit | None, Parameter(help="Limit of money of the fork [default: its parent's]")
    ] = None,
    max_llm_calls: Annotated[Count | None, Parameter(help="Limit of model calls [default: its parent's]")] = None,
    key: Key = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Start a new goal that goes on from an event of this one, with its plan, results and files as of then."""
    from agenthub_cli.commands.replay.forking import run_fork

    wanted = {
        "at_seq": at_seq,
        "model": model,
        "prompt": prompt,
        "max_cost_usd": budget,
        "max_llm_calls": max_llm_calls,
    }
    run_fork(goal, wanted, plan, key=key, url=url, json=json)


@app.command
def compare(
    first: GoalOrFile,
    second: GoalOrFile,
    *,
    nats_url: NatsUrl = None,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> None:
    """Show two goals side by side: state, time, cost, gates, files."""
    from agenthub_cli.commands.replay.looking import run_compare

    run_compare(first, second, nats_url, data_dir, json=json)


@app.command
def run(
    goal: GoalOrFile,
    *,
    nats_url: NatsUrl = None,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> int:
    """Play a goal again with today's code; exit code 1 when it would decide, ask or move differently."""
    from agenthub_cli.commands.replay.playing import run_again

    return run_again(goal, nats_url, data_dir, json=json)


@app.command
def policy(
    *,
    since: Annotated[Position, Parameter(help="Goals that were accepted after this event of the log")] = 0,
    change: Annotated[
        tuple[str, ...], Parameter(name="--set", help="Another bound, e.g. max_rounds=1; may be repeated")
    ] = (),
    nats_url: NatsUrl = None,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> int:
    """Play many goals again: what would today's code, or other bounds, have decided? Exit code 1: otherwise."""
    from agenthub_cli.commands.replay.playing import run_policy

    return run_policy(since, change, nats_url, data_dir, json=json)


@app.command
def project(
    name: Annotated[str, Parameter(help="The projection: readmodels")],
    *,
    schema: Annotated[str, Parameter(help="A schema of its own, made anew when replay has made it before")],
    to_seq: Annotated[Position | None, Parameter(help="As of this event of the log; default: the last")] = None,
    nats_url: NatsUrl = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> None:
    """Make the tables of a projection as of an event, in a schema beside the live ones."""
    from agenthub_cli.commands.replay.schemas import Stores, run_project

    run_project(name, schema, to_seq, Stores(nats_url, database_url, data_dir), json=json)


@app.command
def compare_schemas(
    first: Annotated[str, Parameter(help="A schema that `replay project` has made, or `live`")],
    second: Annotated[str, Parameter(help="Another one")],
    *,
    nats_url: NatsUrl = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> int:
    """Compare two schemas row by row; exit code 1 when they differ."""
    from agenthub_cli.commands.replay.schemas import Stores, run_compare_schemas

    return run_compare_schemas(first, second, Stores(nats_url, database_url, data_dir), json=json)


@app.command
def export(
    goal: GoalOrFile,
    *,
    to: Annotated[Path | None, Parameter(help="The file; default: <goal>.agenthub.gz in this folder")] = None,
    nats_url: NatsUrl = None,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> None:
    """Write everything that it takes to replay a goal elsewhere into one file."""
    from agenthub_cli.commands.replay.files import run_export

    run_export(goal, to, nats_url, data_dir, json=json)


@app.command(name="import")
def import_(
    file: Annotated[Path, Parameter(help="An exported file")],
    *,
    data_dir: DataDirOption = None,
    json: Json = False,
) -> None:
    """Check an exported file and keep it, so that its goal can be replayed by its id; no log is changed."""
    from agenthub_cli.commands.replay.files import run_import

    run_import(file, data_dir, json=json)
