"""`agenthub queues` and `agenthub agents`: what waits, who serves it, and holding it back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias

import humanize
from cyclopts import App, Parameter

from agenthub_cli.checked import Id
from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.options.common import Json, Key, Url
from agenthub_cli.terminal.output import print_json, print_rows, say

AgentName: TypeAlias = Annotated[Id, Parameter(help="Agent type, such as `coding`")]
Reason: TypeAlias = Annotated[str, Parameter(help="Why, in your words; it stands in the log and is shown")]

queues = App(name="queues", help="Show what waits in the work queues, and pause or resume one.")
agents = App(name="agents", help="Show the agent types: who serves them, which model they ask, what waits.")


@queues.default
def list_(
    *,
    every: Annotated[
        bool, Parameter(name="--all", negative="", help="Show lanes in which nothing is, too")
    ] = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """List the lanes in which orders wait or are being worked on, the one that has waited longest first."""
    lanes = HubClient(url).get("/queues")["items"]
    rows = sorted(
        (lane for lane in lanes if every or lane["waiting"] or lane["held"]),
        key=lambda lane: (lane["oldest_at"] is None, lane["oldest_at"] or "", lane["agent_type"], lane["lane"]),
    )
    if json:
        for row in rows:
            print_json(row)
        return
    shown = [{**row, "oldest": _age(row["oldest_at"]), "why": row["paused"] or row["problem"]} for row in rows]
    columns = ("agent_type", "lane", "waiting", "oldest", "held", "workers", "why")
    print_rows(shown, columns, empty="Nothing waits, and nothing is being worked on")


@queues.command
def pause(agent: AgentName, *, reason: Reason = "", key: Key = None, url: Url = None, json: Json = False) -> None:
    """Give out no orders for an agent type; what is being worked on is finished."""
    answer = HubClient(url).post(f"/queues/{agent}/pause", {"reason": reason} if reason else {}, key=key)
    told(answer, json=json)


@queues.command
def resume(agent: AgentName, *, key: Key = None, url: Url = None, json: Json = False) -> None:
    """Give out orders for an agent type again."""
    told(HubClient(url).post(f"/queues/{agent}/resume", {}, key=key), json=json)


@agents.default
def list_agents(*, url: Url = None, json: Json = False) -> None:
    """List the agent types."""
    hub = HubClient(url)
    lanes, models = hub.get("/queues")["items"], hub.get("/model").get("models") or {}
    rows = list(_by_type(lanes, models))
    if json:
        for row in rows:
            print_json(row)
        return
    columns = ("agent_type", "model", "workers", "waiting", "held", "why")
    print_rows(
        ({**row, "why": row["paused"] or row["problem"]} for row in rows), columns, empty="No agent type is known"
    )


agents.command(pause)
agents.command(resume)


def told(answer: Mapping[str, Any], *, json: bool) -> None:
    """What is held back after a command."""
    if json:
        print_json(answer)
        return
    for line in held_lines(answer) or ["Nothing is held back: every queue gives its orders out"]:
        say(line)


def held_lines(held: Mapping[str, Any]) -> list[str]:
    """What is held back, in words."""
    whole = held["maintenance"]
    lines = [f"The hub is in maintenance{_because(whole)}"] if whole else []
    return lines + [f"{hold['agent_type']} is paused{_because(hold)}" for hold in held["paused"]]


def _because(hold: Mapping[str, Any]) -> str:
    by = f" by {hold['by']}" if hold["by"] else ""
    return f"{by} since {hold['since'][:19]}Z{': ' + hold['reason'] if hold['reason'] else ''}"


def _by_type(lanes: Iterable[Mapping[str, Any]], models: Mapping[str, str]) -> Iterable[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for lane in lanes:
        name = lane["agent_type"]
        nothing = {"agent_type": name, "model": models.get(name, ""), "waiting": 0, "held": 0}
        row = found.setdefault(name, nothing)
        row |= {"workers": lane["workers"], "paused": lane["paused"], "problem": lane["problem"]}
        row["waiting"] += lane["waiting"]
        row["held"] += lane["held"]
    # It exists for measuring: where nobody measures it says nothing.
    return [row for row in found.values() if row["agent_type"] != "noop" or row["workers"] or row["waiting"]]


def _age(since: str | None) -> str:
    if since is None:
        return ""
    return humanize.precisedelta(
        datetime.now(UTC) - datetime.fromisoformat(since), minimum_unit="seconds", format="%d"
    )
