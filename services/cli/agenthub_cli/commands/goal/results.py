"""`agenthub goal pull` and `apply`: the result as a repository, or as a branch in one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from agenthub_cli.client.hub_client import hub_and_goal
from agenthub_cli.client.names import GoalId
from agenthub_cli.commands.goal.options import print_result
from agenthub_cli.options.common import Json, Url


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
    print_result({"goal_id": goal_id, "path": str(target)}, f"The result is in {target}", json=json)


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
    print_result(
        {"goal_id": goal_id, "branch": name, "commit": commit},
        f"The result is the branch {name} at {commit[:12]}",
        json=json,
    )
