"""The gateway as the command line sees it: plain HTTP, problems turned into errors with a next step."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import httpx2
import msgspec
from cyclopts import Parameter

from agenthub_cli import exit_codes
from agenthub_cli.checked import is_key
from agenthub_cli.client.address import hub_address, hub_key, on_loopback
from agenthub_cli.client.answers import HubAnswer, answer_in, check_stream, failure, items_of
from agenthub_cli.client.environment import environment, running_hub
from agenthub_cli.client.goal_names import goal_called, in_full
from agenthub_cli.errors import CommandFailed, HubUnreachable

API = "/api/v1"
_TIMEOUT_S = 35.0

Url: TypeAlias = Annotated[
    str | None,
    Parameter(name="--url", env_var="AGENTHUB_URL", help="Address of the hub; default: the running one"),
]
Json: TypeAlias = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON, one object a line")]
Key: TypeAlias = Annotated[
    str | None,
    Parameter(
        name="--key",
        validator=is_key,
        help="Idempotency key: the same key is the same command, however often sent",
    ),
]
DataDirOption: TypeAlias = Annotated[
    Path | None, Parameter(name="--data-dir", env_var="AGENTHUB_DATA_DIR", help="Folder of the embedded hub")
]


class ServerSentEvent(msgspec.Struct, frozen=True):
    """One server-sent event."""

    id: str
    event: str
    data: str


IDLE = ServerSentEvent("", "idle", "")
PING = ServerSentEvent("", "ping", "")


class HubClient:
    """A hub's HTTP interface. Every method raises `CommandFailed` with the hub's own words."""

    def __init__(self, url: str | None = None) -> None:
        told = environment()
        self.url = hub_address(url or told.get("AGENTHUB_URL") or running_url(None))
        key = hub_key(told)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = _client(self.url, headers)

    def goal_id(self, name: str) -> str:
        """The id of the goal that is called so: `@last`, the beginning of an id, or the id itself."""
        return goal_called(name, lambda: self.pages("/goals"))

    def get(self, path: str, /, **params: Any) -> HubAnswer:
        """GET below the API; `params` that are None are left out."""
        wanted = {k: v for k, v in params.items() if v is not None}
        return answer_in(self.url, self._response("GET", path, params=wanted))

    def get_bytes(self, path: str, **params: Any) -> bytes:
        """GET a body that is not JSON."""
        return self._response("GET", path, params=params).content

    def post(self, path: str, body: dict[str, Any], *, key: str | None = None, **params: Any) -> HubAnswer:
        """POST a command; `key` makes a retry the same command."""
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        sent = _as_json(body)
        return answer_in(self.url, self._response("POST", path, content=sent, headers=headers, params=params))

    def pages(self, path: str, *, limit: int | None = None, **params: Any) -> Iterator[Any]:
        """Every item of a paged list, at most `limit`."""
        cursor: str | None = None
        given = 0
        while True:
            page = self.get(path, cursor=cursor, **params)
            for item in items_of(page):
                if limit is not None and given >= limit:
                    return
                given += 1
                yield item
            cursor = page.get("next_cursor")
            if not cursor:
                return

    @contextmanager
    def stream(
        self,
        *,
        goal: str | None = None,
        kind: str | None = None,
        start: int | None = None,
        last_id: str = "",
        idle_s: float | None = None,
    ) -> Iterator[Iterator[ServerSentEvent]]:
        """Server-sent events of a goal and a type, behind sequence `start` (None: from now on).

        `last_id` goes on after a frame that was seen. With `idle_s` the frame `IDLE` comes up whenever nothing
        came for so long.
        """
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        params = {"goal": goal and self.goal_id(goal), "type": kind, "from": start}
        wanted = {k: v for k, v in params.items() if v is not None}
        try:
            with self._client.stream(
                "GET", f"{API}/stream", params=wanted, headers=headers, timeout=httpx2.Timeout(10.0, read=60.0)
            ) as response:
                if not response.is_success:
                    response.read()
                    raise failure(self.url, response)
                check_stream(self.url, response)
                if idle_s is None:
                    yield _frames(response.iter_lines())
                else:
                    with _Reader(response) as reader:
                        yield reader.frames(idle_s)
        except httpx2.TransportError as error:
            raise HubUnreachable(self.url) from error

    def _response(self, method: str, path: str, **options: Any) -> httpx2.Response:
        whole = in_full(path, lambda: self.pages("/goals"))
        try:
            response = self._client.request(method, f"{API}{whole}", **options)
        except httpx2.TimeoutException as error:
            raise HubUnreachable(self.url, f"nothing came for {_TIMEOUT_S:g} s") from error
        except httpx2.RequestError as error:
            raise HubUnreachable(self.url) from error
        if not response.is_success:
            raise failure(self.url, response)
        return response


def running_url(data_dir: Path | None) -> str:
    """The address of the hub that runs on this machine, or the default one."""
    hub = running_hub(data_dir)
    return hub.url if hub else "http://127.0.0.1:8000"


def _client(url: str, headers: dict[str, str]) -> httpx2.Client:
    """Raises `CommandFailed` when a proxy or a certificate that the environment names cannot be used."""
    try:
        return httpx2.Client(base_url=url, timeout=_TIMEOUT_S, headers=headers, trust_env=not on_loopback(url))
    except (ValueError, ImportError, OSError, httpx2.InvalidURL) as error:
        raise CommandFailed(
            f"A proxy or a certificate that the environment names cannot be used: {error}",
            hint="look at ALL_PROXY, HTTP_PROXY, HTTPS_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
            code=exit_codes.USAGE,
        ) from error


def _as_json(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        raise CommandFailed(
            "What you gave holds bytes that are no UTF-8", hint="give text", code=exit_codes.USAGE
        ) from None


class _Reader:
    """Reads a stream in a thread, so that who waits for its frames also notices that none comes."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response
        self._read: queue.SimpleQueue[ServerSentEvent | Exception | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._main, name="stream", daemon=True)

    def __enter__(self) -> _Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone would leave the thread in its read until the next ping.
        connection = self._response.extensions["network_stream"].get_extra_info("socket")
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def frames(self, idle_s: float) -> Iterator[ServerSentEvent]:
        while True:
            try:
                found = self._read.get(timeout=idle_s)
            except queue.Empty:
                yield IDLE
                continue
            if found is None:
                return
            if isinstance(found, Exception):
                raise found
            yield found

    def _main(self) -> None:
        try:
            for frame in _frames(self._response.iter_lines()):
                self._read.put(frame)
            self._read.put(None)
        except httpx2.HTTPError as error:
            self._read.put(error)


def _frames(lines: Iterator[str]) -> Iterator[ServerSentEvent]:
    fields = {"id": "", "event": "message", "data": ""}
    for line in lines:
        if line.startswith(":"):
            yield PING
        elif not line:
            if fields["data"]:
                yield ServerSentEvent(**fields)
            fields = {"id": "", "event": "message", "data": ""}
        else:
            name, _, value = line.partition(":")
            text = value.removeprefix(" ")
            if name in fields:
                fields[name] = f"{fields[name]}\n{text}" if name == "data" and fields["data"] else text
