"""How a goal stands, in a few words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from agenthub_runtime.plain_text import one_line


def summary(goal: Mapping[str, Any], now: datetime) -> str:
    """How a goal stands, in a line: state, progress, time, money and calls."""
    done, total = int(goal["tasks_done"]), int(goal["tasks_total"]) + int(goal.get("gates_to_come") or 0)
    parts = [str(goal["status"]).replace("_", " "), f"{done} of {total}"]
    if goal.get("accepted_at"):
        end = goal.get("ended_at")
        parts.append(duration((moment(end) if end else now).timestamp() - moment(goal["accepted_at"]).timestamp()))
    limit = goal.get("max_cost_usd")
    cost = f"${float(goal['cost_usd']):.2f}"
    parts.append(f"{cost} of ${float(limit):.2f}" if limit else cost)
    parts.append(f"{goal['llm_calls']} {'call' if goal['llm_calls'] == 1 else 'calls'}")
    if goal.get("unpriced_calls"):
        parts.append(f"{goal['unpriced_calls']} without a known price")
    return " · ".join(parts)


def duration(seconds: float) -> str:
    """`42 s`, `2 m 06 s` or `9 h 01 m`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} m"


def moment(text: str) -> datetime:
    """A time as the hub writes it."""
    return datetime.fromisoformat(text)


def understood(found: Mapping[str, Any]) -> str:
    """What the words of a goal are taken to demand."""
    gates = ", ".join(found["gates"]) or "no gate"
    covered = found["min_coverage"]
    demanded = f"judged by {gates}" + (f", coverage at least {covered:g} %" if covered is not None else "")
    return f"{demanded}; its commands may reach {', '.join(found['network'])}" if found["network"] else demanded


def checked_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """What came of a look at a goal that was not submitted."""
    yield f"It would be {understood(found['understood'])}"
    repository = found["repository"]
    if repository is not None:
        yield f"  repository  {one_line(repository['repository'])}, {_place(repository)}"
        yield from _surveyed(repository)
        if repository["delivery"] != "none":
            yield f"  delivery    {repository['delivery'].replace('_', ' ')}"
    for warning in found["warnings"]:
        yield f"  warning     {one_line(warning)}"
    yield "Nothing was submitted"


def _place(repository: Mapping[str, Any]) -> str:
    named = repository["ref"].removeprefix("refs/heads/").removeprefix("refs/tags/") or "HEAD"
    return f"{one_line(named)} at {repository['commit'][:12]}"


def _surveyed(repository: Mapping[str, Any]) -> Iterator[str]:
    if not repository["surveyed"]:
        return
    yield f"  files       {repository['files']}, {repository['test_files'] or 'none'} of them with tests"
    yield f"  tests       {one_line(repository['test_command']) or 'nothing says how they are run'}"
    yield f"  setup       {_setup(repository)}"
    if repository["checks"]:
        yield f"  checks      {', '.join(repository['checks'])}"


def _setup(repository: Mapping[str, Any]) -> str:
    if repository["setup"] is None:
        return "not known"
    count = len(repository["setup"])
    if not count:
        return "nothing has to be installed"
    return f"{count} {'command' if count == 1 else 'commands'}, by {one_line(repository['setup_source'])}"


def _evidence(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return ""
    behind = ", ".join((*found["tasks"], *found["gates"]))
    return f"  ({behind})" if behind else f"  ({one_line(found['none']) or 'nothing proves it yet'})"


def requirement_lines(goal: Mapping[str, Any]) -> Iterator[str]:
    """Each requirement with the evidence for it, where there is some."""
    evidence = {item["requirement_id"]: item for item in goal["coverage"]}
    for number, text in enumerate(goal["requirements"], start=1):
        yield f"  r{number}  {one_line(text)}{_evidence(evidence.get(f'r{number}'))}"
    if goal["requirements"]:
        yield ""
