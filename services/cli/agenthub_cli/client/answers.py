"""What came back from an address, held against what a hub would send."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from agenthub_cli import exit_codes
from agenthub_cli.client.transport import Response
from agenthub_cli.errors import CommandFailed, NotAHub, ReadModelsBehind

_SHOWN = 300
_MISTAKEN = 422
_UNAVAILABLE = 503
_BEHIND = "/problems/projection-behind"
_SILENT = {
    "GET": ("/problems/read-models-unavailable", "/problems/log-unavailable"),
    "POST": ("/problems/log-unavailable",),
}


class HubAnswer(dict[str, Any]):
    """A JSON object of a hub; a field that it lacks means that no hub, or another version, has answered."""

    url = ""

    def __missing__(self, key: str) -> NoReturn:
        raise NotAHub(self.url, f"its answer lacks `{key}`")


def answer_in(url: str, response: Response) -> HubAnswer:
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


def check_stream(url: str, response: Response) -> None:
    """Raises `NotAHub` unless a good response is a stream of events."""
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        raise NotAHub(url, f"it sent {_kind_of(response)}")


def may_answer_soon(method: str, response: Response) -> bool:
    """Whether the same is worth asking again: the hub is there, only a server behind it has not answered.

    A command that the log has not answered may be sent again with its key: it is carried out once.
    """
    return response.status == _UNAVAILABLE and _problem_of(response).get("type") in _SILENT.get(method, ())


def failure(url: str, response: Response) -> CommandFailed:
    """A response that is no success, in the hub's own words."""
    if response.is_redirect:
        place = response.headers.get("location", "elsewhere")[:_SHOWN]
        return NotAHub(url, f"it points to {place}: if the hub is there, name that address with --url")
    problem = _problem_of(response)
    hint = "set AGENTHUB_API_KEY to a key of this hub" if response.status == 401 else ""
    code = exit_codes.USAGE if response.status == _MISTAKEN else exit_codes.FAILED
    if isinstance(problem.get("detail") or problem.get("title"), str):
        from agenthub_cli.client.wording import told

        detail = str(problem.get("detail") or problem.get("title"))[: 10 * _SHOWN]
        errors = problem.get("errors")
        kind = ReadModelsBehind if problem.get("type") == _BEHIND else CommandFailed
        return kind(told(detail, _places(errors)), hint=hint, code=code)
    # Nothing that a hub would say: the status is all there is.
    return CommandFailed(f"{response.phrase} (HTTP {response.status})", hint=hint)


def _problem_of(response: Response) -> dict[str, Any]:
    """What a hub says of its refusal; empty where it is nothing that a hub would say."""
    try:
        problem = json.loads(response.content)
    except (ValueError, RecursionError):
        return {}
    return problem if isinstance(problem, dict) else {}


def _places(errors: object) -> list[dict[str, Any]]:
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _kind_of(response: Response) -> str:
    kind = response.headers.get("content-type", "").partition(";")[0].strip()[:60]
    return kind or "something without a content type"
