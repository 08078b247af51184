"""What schemathesis is told of this API: ids that exist, and what a refusal owes to who is refused."""

from __future__ import annotations

import os
import zlib
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response

PROBLEM = "application/problem+json"
KNOWN_GOALS = "AGENTHUB_TEST_GOALS"
KNOWN_TASK = "t-first"
FAR = 5

_NAMED_BY_TITLE = frozenset({404, 405})


@schemathesis.check
def a_refusal_says_why(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Every refusal is a problem of the table that says what did not fit, and where."""
    del ctx, case
    if response.status_code < 400 or response.headers.get("content-type", [""])[0] != PROBLEM:
        return
    problem: dict[str, Any] = response.json()
    assert problem["status"] == response.status_code, problem
    assert problem["type"].startswith("/problems/"), problem
    assert problem["title"], problem
    assert problem.get("detail") or response.status_code in _NAMED_BY_TITLE, f"no reason given: {problem}"
    if problem["type"] in ("/problems/invalid-input", "/problems/invalid-parameter", "/problems/invalid-plan"):
        places = problem.get("errors", [])
        assert all(place["message"] for place in places), problem
        assert places or problem["detail"], f"no place named: {problem}"


@schemathesis.hook
def map_path_parameters(context: HookContext, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Two of three generated ids become ids of goals that are there, else nothing behind them would be asked."""
    del context
    goals = os.environ[KNOWN_GOALS].split(",")
    if path_parameters and "goal_id" in path_parameters:
        chosen = zlib.crc32(repr(sorted(path_parameters.items())).encode())
        if chosen % 3:
            path_parameters["goal_id"] = goals[chosen % len(goals)]
            if "task_id" in path_parameters and chosen % 2:
                path_parameters["task_id"] = KNOWN_TASK
    return path_parameters


@schemathesis.hook
def map_query(context: HookContext, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """Nobody waits for a plan, nor for an event that is far away: each such wait takes seconds."""
    del context
    if query and query.get("wait") == "plan":
        del query["wait"]
    if query and "after" in query:
        query["after"] = _near(query["after"])
    return query


def _near(after: Any) -> Any:
    """The same where it names no event that is far away, in whatever form it was generated."""
    if isinstance(after, list):
        return [_near(value) for value in after]
    try:
        return 1 if float(after) > FAR else after
    except (TypeError, ValueError):
        return after
