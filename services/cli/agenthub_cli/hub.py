"""The gateway as the command line sees it: plain HTTP, problems turned into errors with a next step."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import httpx2
import msgspec
from cyclopts import Parameter

from agenthub_cli.errors import CommandFailed, HubUnreachable

API = "/api/v1"
_TIMEOUT_S = 35.0

Url: TypeAlias = Annotated[
    str | None,
    Parameter(name="--url", env_var="AGENTHUB_URL", help="Address of the hub; default: the running one"),
]
Json: TypeAlias = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON, one object a line")]
DataDirOption: TypeAlias = Annotated[
    Path | None, Parameter(name="--data-dir", env_var="AGENTHUB_DATA_DIR", help="Folder of the embedded hub")
]


class Frame(msgspec.Struct, frozen=True):
    """One server-sent event."""

    id: str
    event: str
    data: str


class Hub:
    """A hub's HTTP interface. Every method raises `CommandFailed` with the hub's own words."""

    def __init__(self, url: str | None = None) -> None:
        self.url = (url or running_url(None)).rstrip("/")
        key = os.environ.get("AGENTHUB_API_KEY", "")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx2.Client(base_url=self.url, timeout=_TIMEOUT_S, headers=headers)

    def get(self, path: str, **params: Any) -> Any:
        """GET below the API; `params` that are None are left out."""
        return self._answer("GET", path, params={k: v for k, v in params.items() if v is not None}).json()

    def get_bytes(self, path: str, **params: Any) -> bytes:
        """GET a body that is not JSON."""
        return self._answer("GET", path, params=params).content

    def post(self, path: str, body: dict[str, Any], *, key: str | None = None, **params: Any) -> Any:
        """POST a command; `key` makes a retry the same command."""
        headers = {"Idempotency-Key": key} if key else {}
        return self._answer("POST", path, json=body, headers=headers, params=params).json()

    def pages(self, path: str, *, limit: int | None = None, **params: Any) -> Iterator[Any]:
        """Every item of a paged list, at most `limit`."""
        cursor: str | None = None
        given = 0
        while True:
            page = self.get(path, cursor=cursor, **params)
            for item in page["items"]:
                if limit is not None and given >= limit:
                    return
                given += 1
                yield item
            cursor = page.get("next_cursor")
            if not cursor:
                return

    @contextmanager
    def stream(
        self, *, goal: str | None = None, kind: str | None = None, start: int | None = None, last_id: str = ""
    ) -> Iterator[Iterator[Frame]]:
        """Server-sent events of a goal and a type, behind sequence `start` (None: from now on).

        `last_id` goes on after a frame that was seen.
        """
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        params = {"goal": goal, "type": kind, "from": start}
        wanted = {k: v for k, v in params.items() if v is not None}
        try:
            with self._client.stream(
                "GET", f"{API}/stream", params=wanted, headers=headers, timeout=httpx2.Timeout(10.0, read=60.0)
            ) as response:
                if response.is_error:
                    response.read()
                    raise _failure(response)
                yield _frames(response.iter_lines())
        except httpx2.TransportError as error:
            raise HubUnreachable(self.url) from error

    def _answer(self, method: str, path: str, **options: Any) -> httpx2.Response:
        try:
            response = self._client.request(method, f"{API}{path}", **options)
        except httpx2.TransportError as error:
            raise HubUnreachable(self.url) from error
        if response.is_error:
            raise _failure(response)
        return response


def running_url(data_dir: Path | None) -> str:
    """The address of the hub that runs on this machine, or the default one."""
    from agenthub_runtime.datadir import DataDir, default_data_dir

    named = data_dir or os.environ.get("AGENTHUB_DATA_DIR")
    hub = DataDir(Path(named) if named else default_data_dir()).running_hub()
    return hub.url if hub else "http://127.0.0.1:8000"


def _frames(lines: Iterator[str]) -> Iterator[Frame]:
    fields = {"id": "", "event": "message", "data": ""}
    for line in lines:
        if line.startswith(":"):
            yield Frame("", "ping", "")
        elif not line:
            if fields["data"]:
                yield Frame(**fields)
            fields = {"id": "", "event": "message", "data": ""}
        else:
            name, _, value = line.partition(":")
            text = value.removeprefix(" ")
            if name in fields:
                fields[name] = f"{fields[name]}\n{text}" if name == "data" and fields["data"] else text


def _failure(response: httpx2.Response) -> CommandFailed:
    try:
        problem = response.json()
        detail = problem.get("detail") or problem.get("title") or response.reason_phrase
        places = [f"{e.get('key')}: {e.get('message')}" for e in problem.get("errors", []) if e.get("key")]
    except ValueError:
        detail, places = response.reason_phrase, []
    extra = "".join(f"\n  {place}" for place in places)
    hint = "set AGENTHUB_API_KEY to a key of this hub" if response.status_code == 401 else ""
    return CommandFailed(f"{detail} (HTTP {response.status_code}){extra}", hint=hint)
