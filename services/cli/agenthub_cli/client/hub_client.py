"""The gateway as the command line sees it: plain HTTP, problems turned into errors with a next step."""

from __future__ import annotations

import itertools
import queue
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import msgspec

from agenthub_cli import exit_codes
from agenthub_cli.client.address import hub_address, hub_key
from agenthub_cli.client.answers import HubAnswer, answer_in, check_stream, failure, items_of, may_answer_soon
from agenthub_cli.client.environment import environment, running_hub
from agenthub_cli.client.goal_names import LAST, Naming, goal_called, in_full, one_called
from agenthub_cli.client.transport import AnswerLines, Response, Transport, Unanswered
from agenthub_cli.errors import CommandFailed, HubUnreachable
from agenthub_cli.program import program

API = "/api/v1"
TIMEOUT_S = 35.0
# For so long is asked again what a server of the hub has not answered: one restarts, or the machine stands still.
_ASKED_AGAIN_S = 12.0
_ASKED_LEAST = 4
_PAUSE_S = 0.5
_CONNECT_S = 10.0
_SILENCE_S = 60.0


class ServerSentEvent(msgspec.Struct, frozen=True):
    """One server-sent event."""

    id: str
    event: str
    data: str


IDLE = ServerSentEvent("", "idle", "")
PING = ServerSentEvent("", "ping", "")


class HubClient:
    """A hub's HTTP interface. Every method raises `CommandFailed` with the hub's own words."""

    def __init__(self, url: str | None = None, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self.url, headers = hub_place(url)
        self._transport = Transport(self.url, headers)

    def goal_id(self, name: str) -> str:
        """The id of the goal that is called so: `@last`, the beginning of an id, or the id itself."""
        return goal_called(name, lambda: self.pages("/goals"))

    def question_id(self, name: str) -> str:
        """The id of the open question that is called so; one that is not open is for the hub to know."""
        return self._short(name, "/interventions", Naming("question", "questions", "inbox", ""))

    def letter_id(self, name: str) -> str:
        """The id of the open dead letter that is called so."""
        return self._short(name, "/dead-letters", Naming("dead letter", "dead letters", "dead-letters", ""))

    def task_id(self, goal_id: str, name: str) -> str:
        """The id of the goal's task that is called so: its id, its name in the plan, or the beginning of one.

        The newest of several of the same name is meant. Raises `CommandFailed`.
        """
        tasks = list(self.pages(f"/goals/{goal_id}/tasks"))
        ids = {task[by]: task["task_id"] for task in tasks for by in ("key_name", "task_id")}
        if name == LAST:
            begun = (str(task["task_id"]) for task in reversed(tasks) if task["started_at"])
            return next(begun, str(tasks[-1]["task_id"]) if tasks else name)
        kind = Naming("task", "tasks", f"goal plan {goal_id}", "")
        return str(ids[one_called(name, reversed(ids), kind)])

    def _short(self, name: str, path: str, kind: Naming) -> str:
        known = [str(item["id"]) for item in self.pages(path, state="open")]
        if name != LAST and not any(one.startswith(name) for one in known):
            # What is over keeps its id: the hub says what has become of it.
            return name
        return one_called(name, reversed(known), kind)

    def command(self, words: str) -> str:
        """A command line that reaches this hub as it stands: it names the hub where it would not be found."""
        named = "" if self._is_found else f" --url {self.url}"
        return f"{program()} {words}{named}"

    @cached_property
    def _is_found(self) -> bool:
        try:
            return hub_address(environment().get("AGENTHUB_URL") or running_url(None)) == self.url
        except CommandFailed:
            return False

    def get(self, path: str, /, **params: Any) -> HubAnswer:
        """GET below the API; `params` that are None are left out."""
        wanted = {k: v for k, v in params.items() if v is not None}
        return answer_in(self.url, self._response("GET", path, params=wanted))

    def download(self, path: str, file: IO[bytes]) -> None:
        """GET a body of any size into a file."""
        whole = in_full(path, lambda: self.pages("/goals"))
        try:
            response = self._transport.download(f"{API}{whole}", file, timeout_s=self._timeout_s)
        except Unanswered as error:
            raise HubUnreachable(self.url) from error
        if not response.is_success:
            raise failure(self.url, response)
        file.flush()

    def post(self, path: str, body: dict[str, Any], *, key: str | None = None, **params: Any) -> HubAnswer:
        """POST a command; `key` makes a retry the same command, also one by another process.

        Without one it gets its own, by which it can be sent again from here; not where a goal begins, whose
        id would tell no more when that was.
        """
        begins = path == "/goals" or path.endswith("/fork")
        named = key or ("" if begins else secrets.token_hex(16))
        headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": named} if named else {})
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
        runs: bool = False,
    ) -> Iterator[Iterator[ServerSentEvent]]:
        """Server-sent events of a goal and a type, behind sequence `start` (None: from now on).

        `last_id` goes on after a frame that was seen; `runs` adds what agents do meanwhile. With `idle_s` the
        frame `IDLE` comes up whenever nothing came for so long.
        """
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
        params = {"goal": goal and self.goal_id(goal), "type": kind, "from": start, "runs": runs or None}
        wanted = {k: v for k, v in params.items() if v is not None}
        try:
            with self._transport.stream(
                f"{API}/stream", connect_s=_CONNECT_S, silence_s=_SILENCE_S, params=wanted, headers=headers
            ) as (response, lines):
                if not response.is_success:
                    raise failure(self.url, response)
                check_stream(self.url, response)
                if idle_s is None:
                    yield _frames(iter(lines))
                else:
                    with _Reader(lines) as reader:
                        yield reader.frames(idle_s)
        except Unanswered as error:
            raise HubUnreachable(self.url) from error

    def _response(self, method: str, path: str, **options: Any) -> Response:
        whole = in_full(path, lambda: self.pages("/goals"))
        end = time.monotonic() + _ASKED_AGAIN_S
        for asked in itertools.count(1):
            try:
                response = self._transport.request(method, f"{API}{whole}", timeout_s=self._timeout_s, **options)
            except Unanswered as error:
                why = f"nothing came for {self._timeout_s:g} s" if error.slow else ""
                raise HubUnreachable(self.url, why) from error
            if response.is_success:
                return response
            is_over = asked >= _ASKED_LEAST and time.monotonic() > end
            is_same = method == "GET" or "Idempotency-Key" in options["headers"]
            if is_over or not (is_same and may_answer_soon(method, response)):
                raise failure(self.url, response)
            time.sleep(_PAUSE_S)
        raise AssertionError("nobody counts to the end")


def hub_and_goal(url: str | None, name: str) -> tuple[HubClient, str]:
    """The hub that is meant, and the whole id of the goal that is called so. Raises `CommandFailed`."""
    hub = HubClient(url)
    return hub, hub.goal_id(name)


def hub_place(url: str | None) -> tuple[str, dict[str, str]]:
    """The address of the hub, and what shows it the key. Raises `CommandFailed` for what cannot be one."""
    told = environment()
    if url is not None and not url.strip() and url != told.get("AGENTHUB_URL"):
        raise CommandFailed(
            "--url is blank", hint="give the address of the hub, or leave --url out", code=exit_codes.USAGE
        )
    address = hub_address(url or told.get("AGENTHUB_URL") or running_url(None))
    key = hub_key(told)
    return address, {"Authorization": f"Bearer {key}"} if key else {}


def running_url(data_dir: Path | None) -> str:
    """The address of the hub that runs on this machine, or the default one."""
    hub = running_hub(data_dir)
    return hub.url if hub else "http://127.0.0.1:8000"


def _as_json(body: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        raise CommandFailed(
            "What you gave holds bytes that are no UTF-8", hint="give text", code=exit_codes.USAGE
        ) from None


class _Reader:
    """Reads a stream in a thread, so that who waits for its frames also notices that none comes."""

    def __init__(self, lines: AnswerLines) -> None:
        self._lines = lines
        self._read: queue.SimpleQueue[ServerSentEvent | Exception | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._main, name="stream", daemon=True)

    def __enter__(self) -> _Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.stop()
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
            for frame in _frames(iter(self._lines)):
                self._read.put(frame)
            self._read.put(None)
        except Unanswered as error:
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
