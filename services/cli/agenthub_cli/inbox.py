"""`agenthub inbox` and `agenthub answer`: what waits for a person."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from agenthub_cli.edits import AS_IT_IS, Edits
from agenthub_cli.hub import Hub, Json, Url
from agenthub_cli.show import print_json


def inbox(*, url: Url = None, json: Json = False) -> None:
    """Show every open question."""
    waiting = list(Hub(url).pages("/interventions", state="open"))
    if json:
        for item in waiting:
            print_json(item)
        return
    if not waiting:
        print("Nobody needs you")
    for item in waiting:
        print(f"{item['id']}  {item['goal_id']}  {item.get('task_id') or 'the goal as a whole'}")
        print(f"  {item['question']}")
        for number, option in enumerate(item.get("options") or (), start=1):
            print(f"    {number}. {option}")
        print(f'  answer with: agenthub answer {item["id"]} --text "…"')


def answer(
    intervention: Annotated[str, Parameter(help="Id of the question (`agenthub inbox`)")],
    *,
    text: Annotated[str | None, Parameter(help="The answer in words")] = None,
    option: Annotated[str | None, Parameter(help="One of the options, by its words or its number")] = None,
    action: Literal["answer", "retry", "skip", "edit", "take_over", "cancel"] = "answer",
    edits: Edits = AS_IT_IS,
    url: Url = None,
    json: Json = False,
) -> None:
    """Answer a question; the agent goes on at once.

    `--action edit` changes the task first: give what is to change.
    """
    hub = Hub(url)
    body: dict[str, object] = {"action": action, **edits.body()}
    if text is not None:
        body["text"] = text
    if option is not None:
        body["option"] = _option(hub, intervention, option)
    told = hub.post(f"/interventions/{intervention}/answer", body)
    print_json(told) if json else print("Answered; work goes on")


def _option(hub: Hub, intervention: str, given: str) -> str:
    if not given.isdigit():
        return given
    for item in hub.pages("/interventions", state="open"):
        options = item.get("options") or []
        if item["id"] == intervention and 0 < int(given) <= len(options):
            return str(options[int(given) - 1])
    return given
