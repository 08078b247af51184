"""Browsers sign in where keys are configured; what they hold then opens the hub to its own pages alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from http.cookies import Morsel, SimpleCookie
from typing import Any

import httpx2
import pytest
from nats.aio.client import Client
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import InvalidStatus

from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.errors import StoreUnavailable
from agenthub_gateway.commands.sessions import COOKIE, COOKIE_OVER_TLS, LINK_LASTS, SESSION_LASTS, STREAM, Sessions
from agenthub_gateway.edge.keys import FAILURES_MAX
from agenthub_gateway.errors import SignInLinkSpent
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.fenced_stream import FencedStream
from tests.support.gateway import Gateway, running_gateway, settings

ANNA, WALL = "key-of-anna-0123456789", "key-of-wall-0123456789"
KEYS = (f"anna:{ANNA}", f"wall:read:{WALL}")
SESSION = "/api/v1/session"
GOAL = {"goal": "x"}


@pytest.fixture
async def gateway(bus: Client, nats_server: NatsServer, database_url: str) -> AsyncIterator[Gateway]:
    async with running_gateway(settings(nats_server.authorised_url, database_url, api_keys=KEYS)) as running:
        yield running


class Browser:
    """A client that keeps cookies and says which page asks, as browsers do."""

    def __init__(self, gateway: Gateway, page: str | None = None) -> None:
        self.client = httpx2.AsyncClient(base_url=gateway.url, timeout=180, trust_env=False)
        self.headers = {"Origin": page or gateway.url, "Sec-Fetch-Site": "same-origin"}

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def post(self, path: str, body: Any, **headers: str) -> httpx2.Response:
        return await self.client.post(path, json=body, headers={**self.headers, **headers})

    async def sign_in(self, **body: str) -> httpx2.Response:
        return await self.post(SESSION, body)


@pytest.fixture
async def browser(gateway: Gateway) -> AsyncIterator[Browser]:
    async with Browser(gateway) as found:
        yield found


def cookie_in(answer: httpx2.Response, name: str = COOKIE) -> Morsel[str]:
    found: SimpleCookie = SimpleCookie()
    for value in answer.headers.get_list("set-cookie"):
        found.load(value)
    return found[name]


async def link_of(gateway: Gateway, key: str = ANNA) -> str:
    answer = await gateway.client.post(f"{SESSION}/links", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    path, _, token = answer.json()["path"].partition("#")
    assert (path, answer.headers["cache-control"]) == ("/sign-in", "no-store")
    return str(token)


async def test_a_key_opens_a_session_that_reaches_as_far_as_the_key(browser: Browser, gateway: Gateway) -> None:
    assert (await browser.client.get("/schema/openapi.json")).status_code == 401
    assert (await browser.client.get(SESSION)).json()["way"] == "none"
    answer = await browser.sign_in(key=WALL)
    assert answer.json() == {"way": "session", "name": "wall", "scope": "read"}
    cookie = cookie_in(answer)
    assert (cookie["httponly"], cookie["samesite"].lower(), cookie["path"]) == (True, "strict", "/")
    assert int(cookie["max-age"]) == SESSION_LASTS.total_seconds()
    assert not cookie["secure"], "over plain HTTP a browser would throw it away"
    assert WALL not in cookie.value
    assert (await browser.client.get("/schema/openapi.json")).status_code == 200
    assert (await browser.client.get(SESSION)).json() == {"way": "session", "name": "wall", "scope": "read"}
    assert (await browser.post("/api/v1/goals", GOAL)).status_code == 403
    await browser.sign_in(key=ANNA)
    submitted = await browser.post("/api/v1/goals", GOAL)
    assert submitted.status_code == 202
    (recorded,) = await gateway.hub.log.read(submitted.json()["goal_id"])
    assert isinstance(recorded.event, GoalAccepted)
    assert recorded.event.metadata["actor"] == "anna"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://localhost"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "", "Sec-Fetch-Site": ""}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({}, 202),
    ],
)
async def test_a_page_from_elsewhere_can_do_nothing_with_the_cookie(
    browser: Browser, gateway: Gateway, headers: dict[str, str], status: int
) -> None:
    await browser.sign_in(key=ANNA)
    before = await gateway.log_end()
    answer = await browser.post("/api/v1/goals", GOAL, **headers)
    assert answer.status_code == status, answer.text
    assert await gateway.log_end() == before + (status == 202)


async def test_without_any_word_about_its_page_a_cookie_only_reads(browser: Browser, gateway: Gateway) -> None:
    await browser.sign_in(key=ANNA)
    assert (await browser.client.get("/schema/openapi.json")).status_code == 200
    assert (await browser.client.post("/api/v1/goals", json=GOAL)).status_code == 403
    for headers in ({"Origin": "http://127.0.0.1:1"}, {"Sec-Fetch-Site": "same-site"}):
        assert (await browser.client.get("/schema/openapi.json", headers=headers)).status_code == 403
    assert await gateway.log_end() == 0
    # A key that was typed is no cookie: no browser adds it for a page from elsewhere.
    by_key = {"Authorization": f"Bearer {ANNA}", "Origin": "https://evil.example"}
    assert (await gateway.client.post("/api/v1/goals", json=GOAL, headers=by_key)).status_code == 202


async def test_a_socket_is_opened_to_the_hubs_own_page_alone(browser: Browser, gateway: Gateway) -> None:
    await browser.sign_in(key=ANNA)
    cookie = {"Cookie": f"{COOKIE}={browser.client.cookies[COOKIE]}"}
    address = gateway.url.replace("http", "ws", 1) + "/api/v1/ws"
    async with open_socket(address, additional_headers={**cookie, "Origin": gateway.url}):
        pass
    for headers in ({**cookie, "Origin": "http://127.0.0.1:1"}, cookie, {"Origin": gateway.url}):
        with pytest.raises(InvalidStatus, match="403"):
            async with open_socket(address, additional_headers=headers):
                pass


async def test_a_page_from_elsewhere_cannot_sign_a_browser_in(gateway: Gateway) -> None:
    async with Browser(gateway, page="https://evil.example") as foreign, Browser(gateway) as own:
        assert (await foreign.sign_in(key=ANNA)).status_code == 403
        link = await link_of(gateway)
        assert (await foreign.sign_in(link=link)).status_code == 403
        assert (await own.sign_in(link=link)).status_code == 200, "the refused try has not used it up"


async def test_a_link_works_once_and_for_one_browser_even_when_two_are_at_it(gateway: Gateway) -> None:
    link = await link_of(gateway)
    async with Browser(gateway) as thief, Browser(gateway) as owner:
        answers = await asyncio.gather(thief.sign_in(link=link), owner.sign_in(link=link))
        assert sorted(answer.status_code for answer in answers) == [200, 410]
        again = await owner.sign_in(link=link)
        assert (again.status_code, again.json()["type"]) == (410, "/problems/sign-in-link-spent")
        assert (await owner.sign_in(link="")).status_code == 422
        for wrong in (link[:-1], f"{link}A", "A" * 43, "session.>", "*"):
            assert (await owner.sign_in(link=wrong)).status_code == 410


async def test_a_session_is_no_link_and_a_link_no_session(browser: Browser, gateway: Gateway) -> None:
    link = await link_of(gateway)
    browser.client.cookies.set(COOKIE, link)
    assert (await browser.client.get("/schema/openapi.json")).status_code == 401
    browser.client.cookies.clear()
    await browser.sign_in(link=link)
    assert (await browser.client.get("/schema/openapi.json")).status_code == 200
    assert (await browser.sign_in(link=browser.client.cookies[COOKIE])).status_code == 410


async def test_signing_out_ends_the_session_wherever_its_cookie_is(browser: Browser, gateway: Gateway) -> None:
    await browser.sign_in(key=ANNA)
    stolen = {"Cookie": f"{COOKIE}={browser.client.cookies[COOKIE]}"}
    assert (await gateway.client.get("/schema/openapi.json", headers=stolen)).status_code == 200
    foreign = await browser.post(f"{SESSION}/end", {}, Origin="https://evil.example")
    assert foreign.status_code == 403
    answer = await browser.post(f"{SESSION}/end", {})
    assert (answer.json()["way"], cookie_in(answer).value, cookie_in(answer)["max-age"]) == ("none", "", "0")
    assert (await gateway.client.get("/schema/openapi.json", headers=stolen)).status_code == 401
    assert (await browser.client.get(SESSION)).json()["way"] == "none"


async def test_a_session_makes_no_other_one_that_would_outlive_it(browser: Browser, gateway: Gateway) -> None:
    await browser.sign_in(key=ANNA)
    stolen = {"Cookie": f"{COOKIE}={browser.client.cookies[COOKIE]}", "Origin": gateway.url}
    refused = await gateway.client.post(f"{SESSION}/links", headers=stolen)
    assert (refused.status_code, refused.json()["type"]) == (401, "/problems/unauthorized")
    assert "with a key" in refused.json()["detail"]
    assert (await gateway.client.post(SESSION, json={}, headers=stolen)).status_code == 422
    assert len(await link_of(gateway)) == 43


async def test_a_session_ends_with_its_key_and_outlives_the_gateway(
    bus: Client, nats_server: NatsServer, database_url: str
) -> None:
    def wanted(*keys: str) -> Any:
        return settings(nats_server.authorised_url, database_url, api_keys=keys)

    async with running_gateway(wanted(*KEYS)) as first:
        async with Browser(first) as browser:
            await browser.sign_in(key=ANNA)
            cookie = {"Cookie": f"{COOKIE}={browser.client.cookies[COOKIE]}"}
        link = await link_of(first)
    async with running_gateway(wanted(*KEYS)) as second:
        assert (await second.client.get("/schema/openapi.json", headers=cookie)).status_code == 200
    async with running_gateway(wanted("anna:another-key-0123456789", KEYS[1])) as third:
        assert (await third.client.get("/schema/openapi.json", headers=cookie)).status_code == 401
        async with Browser(third) as browser:
            refused = await browser.sign_in(link=link)
        assert (refused.status_code, refused.json()["type"]) == (401, "/problems/unauthorized")


async def test_behind_tls_the_cookie_is_for_this_host_over_tls_alone(
    bus: Client, nats_server: NatsServer, database_url: str
) -> None:
    wanted = settings(
        nats_server.authorised_url, database_url, api_keys=KEYS, public_url="https://hub.example", allowed_hosts=()
    )
    page = {"Origin": "https://hub.example", "Sec-Fetch-Site": "same-origin"}
    async with running_gateway(wanted) as gateway:
        for headers in ({"Host": "hub.example"}, {"Host": "hub.example", "X-Forwarded-Proto": "https"}):
            answer = await gateway.client.post(SESSION, json={"key": ANNA}, headers={**page, **headers})
            cookie = cookie_in(answer, COOKIE_OVER_TLS)
            assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
            held = {"Cookie": f"{COOKIE}=planted-by-a-neighbour; {COOKIE_OVER_TLS}={cookie.value}"}
            assert (await gateway.client.get("/schema/openapi.json", headers=held)).status_code == 200


async def test_wrong_keys_in_the_form_count_as_they_do_elsewhere(browser: Browser, gateway: Gateway) -> None:
    for number in range(FAILURES_MAX):
        assert (await browser.sign_in(key=f"wrong-{number}")).status_code == 401
    refused = await browser.sign_in(key=ANNA)
    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-failures")
    assert 1 <= int(refused.headers["retry-after"]) <= 6
    by_header = await gateway.client.get("/schema/openapi.json", headers={"Authorization": f"Bearer {ANNA}"})
    assert by_header.status_code == 429


async def test_a_hub_without_keys_asks_nobody_to_sign_in(
    bus: Client, nats_server: NatsServer, database_url: str
) -> None:
    async with running_gateway(settings(nats_server.authorised_url, database_url)) as gateway:
        assert (await gateway.client.get(SESSION)).json()["way"] == "open"
        made = await gateway.client.post(f"{SESSION}/links")
        assert made.json() == {"path": "/", "expires_in_s": 0}


class SetClock:
    """Says what it was told."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here sleeps")


async def test_links_last_two_minutes_and_sessions_a_week(bus: Client) -> None:
    clock = SetClock()
    sessions = Sessions(FencedStream(bus, STREAM), clock)
    link, other, session = [await sessions.give(kind, "p") for kind in ("link", "link", "session")]
    clock.at += LINK_LASTS
    assert await sessions.spend(other) == "p"
    clock.at += timedelta(seconds=1)
    with pytest.raises(SignInLinkSpent, match="two minutes"):
        await sessions.spend(link)
    clock.at += SESSION_LASTS - LINK_LASTS - timedelta(seconds=1)
    assert await sessions.proof_of(session) == "p"
    clock.at += timedelta(seconds=1)
    assert await sessions.proof_of(session) == ""


async def test_no_token_stands_in_the_store(bus: Client) -> None:
    sessions = Sessions(FencedStream(bus, STREAM), SetClock())
    token = await sessions.give("session", "p")
    (kept,) = await FencedStream(bus, STREAM).read("session.*")
    assert token.encode() not in kept.subject.encode() + kept.data


async def test_without_the_store_nobody_gets_in_by_a_cookie(bus: Client, nats_server: NatsServer) -> None:
    sessions = Sessions(FencedStream(bus, "ABSENT", ack_timeout_s=0.2, patience_s=0.2), SetClock())
    with pytest.raises(StoreUnavailable):
        await sessions.proof_of("A" * 43)
