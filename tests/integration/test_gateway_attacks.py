"""What a stranger, the holder of a small key, a page elsewhere and a cache in between try, and do not get."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.notification import NotificationPlanned, Occasion
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.settings.api_keys import SCOPES
from tests.support.gateway import Gateway, running_gateway, running_projector, settings, write

HELD: dict[str, str] = {scope: f"{scope}-0123456789abc" for scope in SCOPES}
KEYS = tuple(f"of-{scope}:{scope}:{secret}" for scope, secret in HELD.items())
KEY = "n-00000000000000000000000000000000"


@pytest.fixture
async def open_to_all(bus: Client, nats_server: NatsServer, database_url: str) -> AsyncIterator[Gateway]:
    async with running_gateway(settings(nats_server.authorised_url, database_url)) as running:
        yield running


@pytest.fixture
async def with_keys(bus: Client, nats_server: NatsServer, database_url: str) -> AsyncIterator[Gateway]:
    wanted = settings(nats_server.authorised_url, database_url, api_keys=KEYS)
    async with running_projector(JetStreamEventLog(bus), database_url), running_gateway(wanted) as running:
        yield running


def by(scope: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {HELD[scope]}", "Content-Type": "application/json"}


async def answered(gateway: Gateway, target: str, *headers: str) -> bytes:
    """The whole answer to a request that no library would send."""
    host, _, port = gateway.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = [f"GET {target} HTTP/1.1", "Connection: close", *(headers or ("Host: localhost",)), "", ""]
    writer.write("\r\n".join(lines).encode("latin-1"))
    found = await reader.read()
    writer.close()
    return found


def spelled(path: str) -> tuple[str, ...]:
    """Other spellings of a path that lead to the same handler, or to none."""
    last = path.rpartition("/")[2]
    coded = path.removesuffix(last) + f"%{ord(last[0]):02x}{last[1:]}"
    return (path, f"{path}/", f"{path}//", f"/{path}", path.replace("/", "//"), coded, f"{coded}/")


async def test_however_a_command_is_spelled_a_smaller_key_does_not_reach_it(with_keys: Gateway) -> None:
    described = (await with_keys.client.get("/schema/openapi.json", headers=by("read"))).json()["paths"]
    commands = [re.sub(r"\{\w+\}", "x", path) for path, calls in described.items() if "post" in calls]
    guarded = [path for path in commands if not path.startswith(("/api/v1/session", "/api/v1/hooks/"))]
    assert "/api/v1/goals/x/erase" in guarded
    for path in guarded:
        needed = "submit" if path in ("/goals", "/api/v1/goals") else "operate"
        smaller = SCOPES[: SCOPES.index("admin" if path.endswith("/erase") else needed)]
        for scope in smaller:
            for target in spelled(path):
                url = f"{with_keys.url}{target}"
                found = await with_keys.client.post(url, headers=by(scope), content=b"[]")
                assert found.status_code in (403, 404, 405), (scope, target, found.text)
    assert await with_keys.log_end() == 0


@pytest.mark.parametrize(
    "target",
    [
        *("/l/../api/v1/goals", "/l/%2e%2e/api/v1/goals", "/static/../api/v1/goals", "/static/..%2fapi/v1/goals"),
        *("/health/../api/v1/goals", "//api/v1/goals", "/api/v1/hooks/../goals", "/api/v1/hooks/%2e%2e/goals"),
        *("/./api/v1/goals", "/l;/api/v1/goals", "/static//etc/passwd", "/static/%2e%2e/%2e%2e/etc/passwd"),
        *("/goals/x%2f..%2f..%2fapi", "/api/v1/goals%3f", "/api/v1/session/../goals", "/mcp/../api/v1/goals"),
        *("http://localhost/api/v1/goals", "http://evil.example/api/v1/goals", "/api/v1/stream", "/metrics"),
    ],
)
async def test_no_open_address_leads_to_a_closed_one(with_keys: Gateway, target: str) -> None:
    status = (await answered(with_keys, target)).split(b" ", 2)[1]
    assert status in (b"401", b"404"), target


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize(
    "path", ["/api/v1/model?probe=true", "/api/v1/goals", "/api/v1/stream", "/metrics", "/schema", "/mcp"]
)
async def test_a_page_elsewhere_makes_a_browser_read_nothing(open_to_all: Gateway, path: str, site: str) -> None:
    read = await open_to_all.client.get(path, headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})
    assert (read.status_code, read.json()["type"]) == (403, "/problems/foreign-origin")


@pytest.mark.parametrize("path", ["/", "/goals/g-1", "/review", "/health/live", "/static/missing.js"])
async def test_a_link_elsewhere_still_opens_a_page_of_the_hub(open_to_all: Gateway, path: str) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert (await open_to_all.client.get(path, headers=headers)).status_code in (200, 404)


async def test_no_answer_is_kept_for_others_or_read_as_something_else(with_keys: Gateway) -> None:
    described = (await with_keys.client.get("/schema/openapi.json", headers=by("read"))).json()["paths"]
    plain = [path for path, calls in described.items() if "get" in calls and "{" not in path]
    asked = [*(path for path in plain if path != "/api/v1/stream"), "/metrics", "/schema", "/nothing"]
    for path in asked:
        for headers in (by("read"), {}):
            answer = await with_keys.client.get(path, headers=headers)
            kept = answer.headers["cache-control"]
            assert kept in ("no-store", "private, no-cache"), (path, kept)
            assert answer.headers["x-content-type-options"] == "nosniff", path


@pytest.mark.parametrize(
    "path", ["%66iles/%FF", "files/%FF", "file%73/a%2Fb%FF", "%66%69%6c%65%73%2F%FF", "files//%FF"]
)
async def test_an_address_in_another_spelling_breaks_nothing(with_keys: Gateway, path: str) -> None:
    submitted = await with_keys.client.post("/api/v1/goals", headers=by("admin"), json={"goal": "x"})
    base = f"/api/v1/goals/{submitted.json()['goal_id']}"
    seen = await with_keys.client.get(base, headers=by("read"), params={"after": submitted.json()["sequence"]})
    assert seen.status_code == 200
    assert (await with_keys.client.get(f"{base}/{path}", headers=by("read"))).status_code == 404


@pytest.mark.parametrize("key", ["*", "%3E", "n-*", "*.notification", f"{KEY}.>", "%0d%0aPUB%20x", "_", "N-1"])
async def test_a_pattern_in_the_place_of_an_id_names_nothing(with_keys: Gateway, bus: Client, key: str) -> None:
    log = JetStreamEventLog(bus)
    goal_id = (await with_keys.client.post("/api/v1/goals", headers=by("admin"), json={"goal": "x"})).json()[
        "goal_id"
    ]
    occasion = Occasion(kind="review", goal_id=goal_id, seq=1)
    planned = NotificationPlanned(channel="email", recipient="ann@example.org", occasions=(occasion,))
    await write(log, goal_id, KEY, planned)
    before = await log.last_seq()
    path = f"/api/v1/goals/{goal_id}/notifications"
    refused = await with_keys.client.post(f"{path}/{key}/resend", headers=by("admin"))
    assert refused.status_code == 404, refused.text
    assert await log.last_seq() == before
    assert (await with_keys.client.post(f"{path}/{KEY}/resend", headers=by("admin"))).status_code == 202
