"""A question that is answered where its goal is watched."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.errors import CommandFailed
from agenthub_cli.terminal.output import on_terminal, say, say_beside
from agenthub_runtime.plain_text import one_line, plain

_ASKED = "  │ "

LATER = ""


def answered_here(hub: HubClient, goal_id: str) -> int | None:
    """Ask the person at the terminal what the goal asks; behind which sequence it goes on, None for later.

    Nobody is asked where no person can answer.
    """
    if not _somebody_is_here():
        return None
    place: int | None = None
    for question in list(hub.pages(f"/goals/{goal_id}/interventions", state="open")):
        body = _asked(hub, question)
        if body is None:
            return place
        try:
            place = int(hub.post(f"/interventions/{question['id']}/answer", body)["sequence"]) - 1
        except CommandFailed as refused:
            # Somebody else has answered meanwhile, or the goal went on.
            say(f"  {refused}")
            place = int(hub.get(f"/goals/{goal_id}")["last_seq"])
    return place


def told_question(question: dict[str, Any]) -> None:
    """A question with its options, what follows from each, and what if nobody answers.

    Each line of the question is marked: what an agent asks cannot look like a line of ours.
    """
    for line in plain(question["question"]).splitlines() or [""]:
        say_beside(_ASKED, line, again=_ASKED)
    options = question.get("options") or ()
    follows = question.get("consequences") or [""] * len(options)
    # Words that hold for all of them are said once.
    alike = follows[0] if len(options) > 1 and len(set(follows)) == 1 else ""
    for number, (option, consequence) in enumerate(zip(options, follows, strict=True), start=1):
        say_beside(f"    {number}. ", one_line(option))
        if consequence and not alike:
            say_beside("       ", one_line(consequence))
    if alike:
        say_beside("    ", f"Whichever you choose: {alike[0].lower()}{one_line(alike[1:])}")


def told_escalation(question: dict[str, Any]) -> None:
    """What happens, and when, while nobody answers the question."""
    steps = question.get("if_unanswered") or ()
    if steps:
        say("  if nobody answers:")
    for step in steps:
        say_beside(f"    {_when(step['at'])}  ", one_line(step["what"]))


def _when(at: str | None) -> str:
    if at is None:
        return f"{'from then on':16}"
    return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M}"


def answer_body(question: dict[str, Any], given: str) -> dict[str, Any]:
    """What a line of a person means: a number the option, everything else the answer in words."""
    options = question.get("options") or []
    if given.isdecimal() and 0 < int(given) <= len(options):
        return {"action": "answer", "option": options[int(given) - 1]}
    return {"action": "answer", "text": given}


def _asked(hub: HubClient, question: dict[str, Any]) -> dict[str, Any] | None:
    about = question.get("about") or question.get("task_id") or ""
    say(f"\n{'The goal' if about in ('', '_') else about} asks ({question['id']}):")
    told_question(question)
    ways = "Number or words" if question.get("options") else "Answer"
    more = hub.command(f"answer {question['id']} --action …")
    say(f"  {ways}, or Enter to leave it; to retry, skip, edit, take over or cancel: {more}")
    sys.stdout.write("  > ")
    sys.stdout.flush()
    given = sys.stdin.readline().strip()
    return answer_body(question, given) if given != LATER else None


def _somebody_is_here() -> bool:
    return on_terminal() and sys.stdin is not None and sys.stdin.isatty()
