"""Asks a source of advisories that speaks the API of the OSV format, at the address that the operator has set.

`POST …/v1/querybatch` names the advisories of many packages, `GET …/v1/vulns/ID` gives one of them. What it
answers is text of others: bounded in bytes, number and time, and nothing else than its form counts as an answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import msgspec

from agenthub_runtime.plain_text import one_line
from agenthub_runtime.settings.records import is_loopback
from agenthub_worker.advisories.locks.locked import Dependency
from agenthub_worker.advisories.records import ID, PackageAdvisory, advisory_of, distinct, named_only
from agenthub_worker.environment.python.tables import rows, text
from agenthub_worker.errors import AdvisoriesUnknown

if TYPE_CHECKING:
    import httpx2

ASKED_MAX = 5_000
"""About how many packages a source is asked at most."""

READ_MAX = 200
"""How many advisories are read at most."""

_WITHIN_S = 120.0
_CALL_WITHIN_S = 60.0
_ANSWER_BYTES, _ALL_BYTES = 8 << 20, 32 << 20
_NAMES = 5_000
_QUERIES_A_CALL = 1_000
_CALLS = 20
_AT_A_TIME = 8
_SAID = 200


class SourceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The advisories of each package that has any, the worst named once.

    `unread` says why some of them are known by their names alone; empty when none is.
    """

    found: Mapping[Dependency, Sequence[PackageAdvisory]]
    unread: str = ""


class AdvisorySource:
    """The source at `address`, which may hold a password.

    `named_within_s` bounds all calls that name advisories, `read_within_s` all that read them, in seconds.
    """

    def __init__(
        self, address: str, *, named_within_s: float = _WITHIN_S, read_within_s: float = _WITHIN_S
    ) -> None:
        self._address = address.rstrip("/").removesuffix("/v1")
        self._named_within_s = named_within_s
        self._read_within_s = read_within_s
        parts = urlsplit(address)
        self.name = parts.netloc.rpartition("@")[2]
        self._is_direct = is_loopback(parts.hostname or "")

    async def ask(self, dependencies: Sequence[Dependency]) -> SourceAnswer:
        """What is known of at most `ASKED_MAX` packages, of the first ones most. Raises `AdvisoriesUnknown`."""
        async with self._calls() as calls:
            try:
                async with asyncio.timeout(self._named_within_s):
                    named = await self._named(calls, dependencies)
            except TimeoutError:
                raise AdvisoriesUnknown(self._late(self._named_within_s)) from None
            wanted = list(dict.fromkeys(name for names in named.values() for name in names))
            records, problems = dict[str, Mapping[str, Any]](), list[str]()
            if len(wanted) > READ_MAX:
                problems.append(f"{len(wanted)} were named, and {READ_MAX} are read at most")
            try:
                async with asyncio.timeout(self._read_within_s):
                    await self._read(calls, wanted[:READ_MAX], records, problems)
            except TimeoutError:
                problems.append(self._late(self._read_within_s))
        found = {one: _told(one, names, records) for one, names in named.items()}
        return SourceAnswer(
            found={one: told for one, told in found.items() if told},
            unread=problems[0] if len(records) < len(wanted) and problems else "",
        )

    @asynccontextmanager
    async def _calls(self) -> AsyncIterator[_Calls]:
        # Loading takes a moment, and only hubs with a source pay.
        import httpx2

        try:
            # A proxy cannot reach this machine's own loopback.
            client = httpx2.AsyncClient(
                timeout=_CALL_WITHIN_S,
                trust_env=not self._is_direct,
                follow_redirects=False,
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            )
        except (ValueError, OSError) as error:
            raise AdvisoriesUnknown(f"{self.name} cannot be asked: {one_line(str(error))[:_SAID]}") from None
        async with client:
            yield _Calls(client, self._address, self.name)

    async def _named(self, calls: _Calls, dependencies: Sequence[Dependency]) -> dict[Dependency, list[str]]:
        """The names of each package's advisories."""
        found = {one: list[str]() for one in dependencies[:ASKED_MAX]}
        waiting = [(one, "") for one in found]
        for _ in range(_CALLS):
            now, waiting = waiting[:_QUERIES_A_CALL], waiting[_QUERIES_A_CALL:]
            if sum(map(len, found.values())) > _NAMES:
                break
            if not now:
                return found
            body = {"queries": [_query(one, page) for one, page in now]}
            answer = await calls.object("POST", "/v1/querybatch", json=body)
            results = rows(answer.get("results"))
            if len(results) != len(now):
                raise AdvisoriesUnknown(f"{self.name} answered {len(results)} of {len(now)} queries")
            for (one, _page), result in zip(now, results, strict=True):
                found[one] += self._ids(result)
                if further := text(result.get("next_page_token")):
                    waiting.append((one, further))
        raise AdvisoriesUnknown(f"{self.name} names more advisories than are read")

    def _ids(self, result: Mapping[str, Any]) -> list[str]:
        """The names in the answer to one query, which is empty where there is no advisory."""
        vulns = result.get("vulns", [])
        names = [text(vuln.get("id")) for vuln in rows(vulns)]
        is_meant = "vulns" in result or "next_page_token" in result or not result
        if (
            not is_meant
            or not isinstance(vulns, list)
            or len(names) != len(vulns)
            or not all(map(ID.fullmatch, names))
        ):
            raise AdvisoriesUnknown(f"{self.name} answered a query in another form than that of OSV")
        return names

    async def _read(
        self,
        calls: _Calls,
        names: Sequence[str],
        records: dict[str, Mapping[str, Any]],
        problems: list[str],
    ) -> None:
        """Put each record where its name leads to it; what cannot be read is told in `problems`."""
        waiting = iter(names)

        async def some() -> None:
            for name in waiting:
                try:
                    record = await calls.object("GET", f"/v1/vulns/{quote(name, safe='')}")
                except AdvisoriesUnknown as error:
                    problems.append(str(error))
                    continue
                if record.get("id") == name:
                    records[name] = record
                else:
                    problems.append(f"{self.name} answered with another advisory than {name}")

        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_A_TIME):
                group.create_task(some())

    def _late(self, within_s: float) -> str:
        return f"{self.name} did not answer everything within {within_s:g} s"


class _Calls:
    """The calls of one question, whose answers have a bound together."""

    def __init__(self, client: httpx2.AsyncClient, address: str, name: str) -> None:
        self._client = client
        self._address = address
        self._name = name
        self._left = _ALL_BYTES

    async def object(self, method: str, path: str, **told: Any) -> dict[str, Any]:
        """The object that a call is answered with. Raises `AdvisoriesUnknown`."""
        import httpx2

        try:
            async with self._client.stream(method, f"{self._address}{path}", **told) as answer:
                if answer.status_code != 200:
                    raise AdvisoriesUnknown(
                        f"{self._name} answered {answer.status_code}{_meant(answer.status_code)}"
                    )
                data = bytearray()
                async for piece in answer.aiter_raw():
                    data += piece
                    if len(data) > _ANSWER_BYTES:
                        raise AdvisoriesUnknown(f"{self._name} answered with more than {_ANSWER_BYTES >> 20} MiB")
                    self._left -= len(piece)
                    if self._left < 0:
                        raise AdvisoriesUnknown(f"{self._name} says more than {_ALL_BYTES >> 20} MiB in all")
        except httpx2.TimeoutException:
            raise AdvisoriesUnknown(f"{self._name} did not answer within {_CALL_WITHIN_S:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            why = one_line(str(error))[:_SAID] or type(error).__name__
            raise AdvisoriesUnknown(f"{self._name} could not be reached: {why}") from None
        try:
            return msgspec.json.decode(bytes(data), type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise AdvisoriesUnknown(f"{self._name} answered with something else than a JSON object") from None


def _query(one: Dependency, page: str) -> dict[str, Any]:
    query = {"package": {"ecosystem": one.ecosystem, "name": one.name}, "version": one.version}
    return {**query, "page_token": page} if page else query


def _told(
    one: Dependency, names: Iterable[str], records: Mapping[str, Mapping[str, Any]]
) -> Sequence[PackageAdvisory]:
    known = [advisory_of(records[name], one) if name in records else named_only(name) for name in names]
    return distinct([advisory for advisory in known if advisory is not None])


def _meant(status: int) -> str:
    if status in (401, 403, 407):
        return ": see to the user and password in AGENTHUB_ADVISORIES"
    return (
        ", and redirects are not followed: set AGENTHUB_ADVISORIES to where it leads"
        if 300 <= status < 400
        else ""
    )
