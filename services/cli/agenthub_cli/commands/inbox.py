"""`agenthub inbox` and `agenthub answer`: what waits for a person."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from agenthub_cli.client.hub_client import HubClient
from agenthub_cli.client.names import QuestionId
from agenthub_cli.errors import CommandFailed
from agenthub_cli.exit_codes import USAGE
from agenthub_cli.goals.asking import told_escalation, told_question
from agenthub_cli.goals.next_step import follow_command, waits_for_approval
from agenthub_cli.options.common import Json, Key, Url
from agenthub_cli.options.edit_options import AS_IT_IS, EditOptions
from agenthub_cli.terminal.output import print_json, say
from agenthub_events.rules.blank import is_blank
from agenthub_runtime.plain_text import one_line

# What each action does to the task that asks, or to a goal that asks as a whole.
_OF_TASK = {
    "retry": "The task is tried again",
    "skip": "The task is skipped",
    "edit": "The task is changed and tried again",
    "take_over": "The task counts as done by you",
    "cancel": "The task is cancelled, with everything that depends on it",
}
_OF_GOAL = {
    "retry": "It is tried again",
    "skip": "The question is set aside",
    "edit": "It is tried again",
    "take_over": "The question is set aside",
    "cancel": "The goal is given up",
}


def inbox(*, url: Url = None, json: Json = False) -> None:
    """Show every open question, every plan that waits for approval, and every result that waits for review."""
    hub = HubClient(url)
    waiting = list(hub.pages("/interventions", state="open"))
    goals = [found for goal in hub.pages("/goals", needs_you=True) if (found := _waits_for(hub, goal)) is not None]
    if json:
        for item in [*waiting, *goals]:
            print_json(item)
        return
    if not waiting and not goals:
        say("Nobody needs you")
    for item in goals:
        say(f"{item['goal_id']}  {one_line(item['goal'])}\n  waits for {item['waits_for']}: {item['command']}")
    for item in waiting:
        say(f"{item['id']}  {item['goal_id']}  {item.get('task_id') or 'the goal as a whole'}")
        told_question(item)
        told_escalation(item)
        given = "--option 1" if item.get("options") else '--text "…"'
        command = hub.command(f"answer {item['id']} {given}")
        say(f"  answer with: {command}")


def _waits_for(hub: HubClient, goal: dict[str, Any]) -> dict[str, Any] | None:
    """What a goal waits for that is no question, with the command that ends it."""
    goal_id = goal["goal_id"]
    if goal["status"] == "ready_for_review":
        waits_for, command = "review", f"goal approve {goal_id}"
    elif waits_for_approval(goal):
        waits_for, command = "approval of its plan", f"goal plan {goal_id} --approve"
    else:
        return None
    return {
        "goal_id": goal_id,
        "goal": goal["goal"],
        "waits_for": waits_for,
        "command": hub.command(command),
    }


def answer(
    intervention: QuestionId,
    *,
    text: Annotated[str | None, Parameter(help="The answer in words")] = None,
    option: Annotated[str | None, Parameter(help="One of the options, by its words or its number")] = None,
    action: Annotated[
        Literal["answer", "retry", "skip", "edit", "take_over", "cancel"],
        Parameter(help="What is to happen with the task"),
    ] = "answer",
    edits: EditOptions = AS_IT_IS,
    key: Key = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Answer a question, or decide what else happens to the task.

    `--action edit` changes the task first: give what is to change.
    """
    _check_together(text, option, action, edits)
    hub = HubClient(url)
    intervention = hub.question_id(intervention)
    question = _asked(hub, intervention)
    body: dict[str, Any] = {"action": action, **edits.body()}
    if text is not None:
        body["text"] = text
    if option is not None:
        body["option"] = _option(question, option)
    told = hub.post(f"/interventions/{intervention}/answer", body, key=key)
    if json:
        print_json(told)
        return
    say(f"{_outcome(question, body)}\nFollow it with: {follow_command(hub, told)}")


def _check_together(text: str | None, option: str | None, action: str, edits: EditOptions) -> None:
    """Raises `CommandFailed` for options that say nothing together, before anybody is asked."""
    if action == "answer" and not option and is_blank(text or ""):
        raise CommandFailed(
            "An answer needs --option or --text", hint="or say what else is to happen: --action", code=USAGE
        )
    if option is not None and text is not None:
        raise CommandFailed("--option and --text are two answers", hint="give one of them", code=USAGE)
    if option is not None and action != "answer":
        raise CommandFailed(
            f"--option answers the question, and --action {action} does something else",
            hint="give one of them; a word for the agent goes into --text",
            code=USAGE,
        )
    if action == "edit" and not edits.body() and is_blank(text or ""):
        raise CommandFailed(
            "--action edit needs what is to change",
            hint="give --title, --details, --agent or --timeout-s",
            code=USAGE,
        )
    if edits.body() and action != "edit":
        raise CommandFailed(
            f"--action {action} changes nothing in the task", hint="to change it: --action edit", code=USAGE
        )


def _asked(hub: HubClient, intervention: str) -> dict[str, Any]:
    """The question; one that is answered already may be answered again with the same key."""
    for state in ("open", "all"):
        for item in hub.pages("/interventions", state=state):
            if item["id"] == intervention:
                return dict(item)
    return {}


def _option(question: dict[str, Any], given: str) -> str:
    options = question.get("options") or []
    if given.isdecimal() and 0 < int(given) <= len(options):
        return str(options[int(given) - 1])
    return given


def _outcome(question: dict[str, Any], body: dict[str, str]) -> str:
    action = body["action"]
    if action == "answer":
        return f"Answered: {body['option']}" if body.get("option") else "Answered"
    whole = question.get("task_id") == "_" and not question.get("about")
    return (_OF_GOAL if whole else _OF_TASK)[action]
