"""What came back from an address, held against what a hub would send."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import httpx2

from agenthub_cli.errors import CommandFailed, NotAHub

_SHOWN = 300


class HubAnswer(dict[str, Any]):
    """A JSON object of a hub; a field that it lacks means that no hub, or another version, has answered."""

    url = ""

    def __missing__(self, key: str) -> NoReturn:
        raise NotAHub(self.url, f"its answer lacks `{key}`")


def answer_in(url: str, response: httpx2.Response) -> HubAnswer:
    """The JSON object of a good response. Raises `NotAHub`."""

    def known(fields: dict[str, Any]) -> HubAnswer:
        found = HubAnswer(fields)
        found.url = url
        return found

    try:
        value = json.loads(response.content, object_hook=known)
    except (ValueError, RecursionError):
        raise NotAHub(url, f"it sent {_kind_of(response)}") from None
    if not isinstance(value, HubAnswer):
        raise NotAHub(url, "it sent JSON that is no object")
    return value


def items_of(page: HubAnswer) -> list[Any]:
    """The items of a page. Raises `NotAHub`."""
    items = page["items"]
    if not isinstance(items, list) or not all(isinstance(item, HubAnswer) for item in items):
        raise NotAHub(page.url, "its `items` are no list of objects")
    return items


def check_stream(url: str, response: httpx2.Response) -> None:
    """Raises `NotAHub` unless a good response is a stream of events."""
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        raise NotAHub(url, f"it sent {_kind_of(response)}")


def failure(url: str, response: httpx2.Response) -> CommandFailed:
    """A response that is no success, in the hub's own words."""
    if response.is_redirect:
        place = response.headers.get("location", "elsewhere")[:_SHOWN]
        return NotAHub(url, f"it points to {place}: if the hub is there, name that address with --url")
    try:
        problem = json.loads(response.content)
    except (ValueError, RecursionError):
        problem = None
    detail, places = response.reason_phrase, list[str]()
    if isinstance(problem, dict):
        detail = str(problem.get("detail") or problem.get("title") or detail)[: 10 * _SHOWN]
        errors = problem.get("errors")
        places = [_place(error, detail) for error in errors] if isinstance(errors, list) else []
    extra = "".join(f"\n  {place}" for place in dict.fromkeys(places) if place)
    hint = "set AGENTHUB_API_KEY to a key of this hub" if response.status_code == 401 else ""
    return CommandFailed(f"{detail} (HTTP {response.status_code}){extra}", hint=hint)


def _place(error: Any, detail: str) -> str:
    """What is still to be said about a place of the request: nothing that the detail says already."""
    if not isinstance(error, dict) or not error.get("key"):
        return ""
    key, message = str(error["key"]), str(error.get("message", ""))
    if message not in detail:
        return f"{key}: {message}"
    return "" if key.rpartition(".")[2] in detail else f"at {key}"


def _kind_of(response: httpx2.Response) -> str:
    kind = response.headers.get("content-type", "").partition(";")[0].strip()[:60]
    return kind or "something without a content type"
