"""Submissions that name a repository: checked where it is, with the remedy in the answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.remotes.credentials import GitAccess
from tests.support.gateway import Gateway, running_gateway, settings
from tests.support.git_hosts import TOKEN, GitHost, a_host, a_repository, git


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[GitHost]:
    async with a_host(tmp_path / "host") as found:
        yield found


@asynccontextmanager
async def gateway_to(nats: NatsServer, database_url: str, host: GitHost) -> AsyncIterator[Gateway]:
    """A gateway of this machine that has the token of the host."""
    access = GitAccess(tokens={host.name: TOKEN}, forges={host.name: f"gitlab:{host.api}"})
    async with running_gateway(settings(nats.authorised_url, database_url, embedded=True, git=access)) as running:
        yield running


async def submitted(gateway: Gateway, bus: Client, **body: Any) -> GoalAccepted:
    answer = await gateway.submit(**body)
    [stored] = await JetStreamEventLog(bus).read(answer["goal_id"])
    assert isinstance(stored.event, GoalAccepted)
    return stored.event


async def test_an_address_is_resolved_and_delivered_to_where_a_credential_is_set(
    bus: Client, nats_server: NatsServer, database_url: str, host: GitHost
) -> None:
    head = git(host.root / "ada" / "service.git", "rev-parse", "main")
    async with gateway_to(nats_server, database_url, host) as gateway:
        plain = await submitted(gateway, bus, repository=host.url())
        asked = await submitted(
            gateway, bus, repository=host.url(), ref="main", deliver="pull_request", deliver_branch="agents/x"
        )
        kept = await submitted(gateway, bus, repository=host.url(), ref=head, deliver="none")
    assert (plain.repository, plain.ref, plain.base_commit) == (host.url(), "refs/heads/main", head)
    assert (plain.delivery, plain.delivery_branch) == ("branch", "")
    assert (asked.delivery, asked.delivery_branch) == ("pull_request", "agents/x")
    assert (kept.ref, kept.base_commit, kept.delivery) == ("", head, "none")


async def test_a_folder_can_be_named_with_a_branch_of_it(
    bus: Client, nats_server: NatsServer, database_url: str, host: GitHost, tmp_path: Path
) -> None:
    folder = a_repository(tmp_path / "mine", {"x.py": "x = 1\n"}, bare=False)
    head = git(folder, "rev-parse", "HEAD")
    git(folder, "branch", "work")
    async with gateway_to(nats_server, database_url, host) as gateway:
        named = await submitted(gateway, bus, repository=f"file://{folder}", ref="work")
        wanted = await submitted(gateway, bus, repository=str(folder), deliver="branch", deliver_branch="agents/x")
    assert (named.repository, named.ref, named.base_commit) == (str(folder), "refs/heads/work", head)
    assert named.delivery == "none"
    assert (wanted.ref, wanted.base_commit) == ("refs/heads/main", head)
    assert (wanted.delivery, wanted.delivery_branch) == ("branch", "agents/x")


async def test_what_was_accepted_is_replayed_while_its_host_is_away(
    bus: Client, nats_server: NatsServer, database_url: str, tmp_path: Path
) -> None:
    async with a_host(tmp_path / "host") as host:
        body = {"goal": "Build a thing", "repository": host.url()}
        async with gateway_to(nats_server, database_url, host) as gateway:
            first = await gateway.client.post("/api/v1/goals", json=body, headers={"Idempotency-Key": "k-1"})
    async with gateway_to(nats_server, database_url, host) as gateway:
        again = await gateway.client.post("/api/v1/goals", json=body, headers={"Idempotency-Key": "k-1"})
        fresh = await gateway.client.post("/api/v1/goals", json=body)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["goal_id"] == first.json()["goal_id"]
    assert fresh.status_code == 422
    assert "could not be reached" in fresh.text


REFUSED: list[tuple[dict[str, str], str, str]] = [
    ({"ref": "nowhere"}, "ref", "has no branch and no tag `nowhere`"),
    ({"ref": "--upload-pack=touch x"}, "ref", "can be no branch"),
    ({"deliver_branch": "main"}, "deliver_branch", "where the goal begins"),
    ({"deliver_branch": "refs/heads/x"}, "deliver_branch", "no plain name"),
    ({"deliver_branch": "a b"}, "deliver_branch", "can be no branch"),
    ({"deliver": "none", "deliver_branch": "x"}, "deliver_branch", "Nothing is delivered"),
    ({"deliver": "pull_request", "ref": "v1"}, "deliver", "goes into a branch"),
    ({"deliver": "email"}, "deliver", ""),
    ({"repository": "https://token-of-mine@example.org/a.git"}, "repository", "AGENTHUB_GIT_TOKENS"),
    ({"repository": "", "ref": "main"}, "repository", "name one"),
]


@pytest.mark.parametrize(("fields", "field", "says"), REFUSED)
async def test_a_submission_that_does_not_fit_names_its_field_and_the_remedy(
    bus: Client,
    nats_server: NatsServer,
    database_url: str,
    host: GitHost,
    fields: dict[str, str],
    field: str,
    says: str,
) -> None:
    git(host.root / "ada" / "service.git", "tag", "v1", "main")
    before = await JetStreamEventLog(bus).last_seq()
    async with gateway_to(nats_server, database_url, host) as gateway:
        body = {"goal": "Build a thing", "repository": host.url(), **fields}
        response = await gateway.client.post("/api/v1/goals", json=body)
    problem = response.json()
    assert response.status_code in (400, 422), problem
    assert field in response.text
    assert says in response.text
    assert "token-of-mine" not in response.text
    assert await JetStreamEventLog(bus).last_seq() == before


async def test_a_check_is_taken_where_there_is_a_commit_that_it_can_be_of(
    bus: Client, nats_server: NatsServer, database_url: str, host: GitHost
) -> None:
    async with gateway_to(nats_server, database_url, host) as gateway:
        taken = await submitted(gateway, bus, repository=host.url(), notify=["check"])
        refused = await gateway.client.post(
            "/api/v1/goals", json={"goal": "Build a thing", "notify": ["check#12"]}
        )
    assert taken.notify == ("check",)
    assert (refused.status_code, refused.json()["errors"][0]["key"]) == (422, "notify")
