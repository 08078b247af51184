"""Reading over HTTP: pages, freshness, ETags, results, and the description of the API."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest
from nats.aio.client import Client
from prometheus_client.parser import text_string_to_metric_families

from agenthub_events.catalogue.goal import GoalPaused
from agenthub_events.catalogue.task import KnowledgeRecorded, MergeDone, TaskEnqueued
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.artifacts import JetStreamArtifacts
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.jetstream.fleet import NatsFleet, WorkerStatus
from agenthub_runtime.repository.goal import ROOT_COMMIT, GoalRepository
from tests.support.gateway import (
    Gateway,
    orchestrated,
    planned,
    running_gateway,
    running_projector,
    settings,
    write,
)
from tests.support.until import until

CODE = "def sign() -> str:\n    return 'signed'\n"


@pytest.fixture
def log(bus: Client) -> JetStreamEventLog:
    return JetStreamEventLog(bus)


@pytest.fixture
async def gateway(
    log: JetStreamEventLog, nats_server: NatsServer, database_url: str, tmp_path: Path
) -> AsyncIterator[Gateway]:
    wanted = settings(nats_server.authorised_url, database_url, data_dir=tmp_path / "data")
    async with running_projector(log, database_url), running_gateway(wanted) as running:
        yield running


async def test_goals_are_listed_youngest_first_in_pages(gateway: Gateway) -> None:
    made = [await gateway.submit(goal=f"Goal {number}") for number in range(5)]
    first = await gateway.get("/api/v1/goals", after=made[-1]["sequence"], limit=2)
    assert [item["goal"] for item in first["items"]] == ["Goal 4", "Goal 3"]
    second = await gateway.get("/api/v1/goals", cursor=first["next_cursor"], limit=2)
    third = await gateway.get("/api/v1/goals", cursor=second["next_cursor"], limit=2)
    assert [item["goal"] for item in second["items"] + third["items"]] == ["Goal 2", "Goal 1", "Goal 0"]
    assert third["next_cursor"] is None
    found = await gateway.get("/api/v1/goals", q="goal 3", status=["accepted", "running"])
    assert [item["goal"] for item in found["items"]] == ["Goal 3"]
    assert (await gateway.get("/api/v1/goals", status="completed"))["items"] == []
    bad = await gateway.client.get("/api/v1/goals", params={"cursor": "x"})
    assert (bad.status_code, bad.json()["errors"][0]["key"]) == (422, "cursor")


async def test_a_goal_says_where_it_stands_and_a_reader_sees_what_he_has_written(gateway: Gateway) -> None:
    goal_id = (await gateway.submit())["goal_id"]
    command = await gateway.client.post(f"/api/v1/goals/{goal_id}/pause", json={"reason": "Lunch"})
    response = await gateway.client.get(f"/api/v1/goals/{goal_id}", params={"after": command.json()["sequence"]})
    shown = response.json()
    assert (shown["status"], shown["pause_reason"], shown["workflow_generated"]) == ("paused", "Lunch", False)
    assert int(response.headers["agenthub-position"]) >= command.json()["sequence"]
    missing = await gateway.client.get("/api/v1/goals/g-nothing")
    assert (missing.status_code, missing.json()["type"]) == (404, "/problems/not-found")


async def test_an_answer_that_has_not_changed_is_not_sent_again(gateway: Gateway, log: JetStreamEventLog) -> None:
    submitted = await gateway.submit()
    path = f"/api/v1/goals/{submitted['goal_id']}"
    first = await gateway.client.get(path, params={"after": submitted["sequence"]})
    same = await gateway.client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    seq = await write(log, submitted["goal_id"], "_", GoalPaused(by="p"))
    changed = await gateway.client.get(
        path, params={"after": seq}, headers={"If-None-Match": first.headers["etag"]}
    )
    assert (changed.status_code, changed.headers["etag"] != first.headers["etag"]) == (200, True)


async def test_a_reader_ahead_of_the_read_models_is_told_so(gateway: Gateway) -> None:
    async with httpx2.AsyncClient(base_url=gateway.url, timeout=300) as client:
        response = await client.get("/api/v1/goals", params={"after": 999})
    assert (response.status_code, response.json()["type"]) == (503, "/problems/projection-behind")
    assert response.headers["retry-after"] == "1"


async def test_tasks_graph_and_story_of_a_goal(gateway: Gateway, log: JetStreamEventLog) -> None:
    goal_id = (await gateway.submit())["goal_id"]
    await write(log, goal_id, "_", planned("a", "b"))
    order = TaskEnqueued(
        task_id="t-a", agent="coding", agent_type="coding", attempt=1, lane="p2", title="A", timeout_s=60
    )
    await write(log, goal_id, "t-a", order, "coding", "p2")
    seq = await write(
        log, goal_id, "t-a", KnowledgeRecorded(task_id="t-a", kind="decision", text="Tokens live 15 minutes")
    )
    base = f"/api/v1/goals/{goal_id}"
    tasks = await gateway.get(f"{base}/tasks", after=seq)
    assert {item["task_id"]: item["status"] for item in tasks["items"]} == {"t-a": "enqueued", "t-b": "pending"}
    detail = await gateway.get(f"{base}/tasks/t-a")
    assert (detail["task"]["lane"], [item["attempt"] for item in detail["attempts"]]) == ("p2", [1])
    assert len((await gateway.get(f"{base}/graph"))["tasks"]) == 2
    assert (await gateway.get(f"{base}/gates"))["items"] == []
    assert (await gateway.get(f"{base}/usage"))["calls"] == 0
    assert [item["text"] for item in (await gateway.get(f"{base}/knowledge"))["items"]] == [
        "Tokens live 15 minutes"
    ]
    story = await gateway.get(f"{base}/timeline")
    assert any("2 tasks" in item["text"] for item in story["items"])
    shown = await gateway.get(base)
    assert (shown["estimated_tasks"], shown["estimated_time"]) == (2, "4 hours")
    assert (await gateway.client.get(f"{base}/tasks/t-ghost")).status_code == 404
    for part in ("tasks", "graph", "gates", "usage", "knowledge", "timeline", "events", "diff", "interventions"):
        assert (await gateway.client.get(f"/api/v1/goals/g-ghost/{part}")).status_code == 404, part


async def test_events_come_from_the_log_with_their_sequence(gateway: Gateway, log: JetStreamEventLog) -> None:
    goal_id = (await gateway.submit())["goal_id"]
    await gateway.submit()
    await write(log, goal_id, "_", planned("a"))
    await write(log, goal_id, "_", GoalPaused(by="p"))
    path = f"/api/v1/goals/{goal_id}/events"
    first = await gateway.get(path, limit=2)
    assert [(item["sequence"], item["type"]) for item in first["items"]] == [
        (1, "goal.accepted"),
        (3, "goal.planned"),
    ]
    rest = await gateway.get(path, cursor=first["next_cursor"], limit=2)
    assert [item["event"]["by"] for item in rest["items"]] == ["p"]
    assert rest["next_cursor"] is None
    only = await gateway.get(path, type="goal.paused")
    assert [item["sequence"] for item in only["items"]] == [4]


async def merged(
    gateway: Gateway, log: JetStreamEventLog, bus: Client, tmp_path: Path, **more: bytes
) -> tuple[str, str]:
    goal_id = (await gateway.submit())["goal_id"]
    artifacts = JetStreamArtifacts(bus)
    repository = await GoalRepository.open(tmp_path / "worker.git", artifacts)
    space = tmp_path / "space"
    await repository.checkout(ROOT_COMMIT, space)
    (space / "auth").mkdir()
    (space / "auth" / "jwt.py").write_text(CODE)
    for name, data in more.items():
        (space / name).write_bytes(data)
    made = await repository.commit_workspace(
        space, parent=ROOT_COMMIT, message="Sign", when=datetime(2026, 11, 24, tzinfo=UTC)
    )
    digest = await repository.bundle(ROOT_COMMIT, made.commit)
    await write(log, goal_id, "_", planned("a"))
    link = MergeDone(
        task_id="t-a",
        attempt=1,
        base=ROOT_COMMIT,
        head=made.commit,
        commit=made.commit,
        tree=made.tree,
        bundle_ref=digest,
    )
    await write(log, goal_id, "_", link)
    return goal_id, made.commit


async def test_the_branch_is_shown_as_diff_and_files_and_can_be_cloned(
    gateway: Gateway, log: JetStreamEventLog, bus: Client, tmp_path: Path
) -> None:
    goal_id, head = await merged(gateway, log, bus, tmp_path)
    base = f"/api/v1/goals/{goal_id}"
    diff = await gateway.get(f"{base}/diff", after=await log.last_seq())
    assert (diff["base"], diff["head"]) == (ROOT_COMMIT, head)
    assert diff["files"] == [{"path": "auth/jwt.py", "added": 2, "removed": 0, "lines": 2}]
    assert "+def sign() -> str:" in diff["diff"]
    assert await gateway.get(f"{base}/diff", task="t-a") == diff
    assert (await gateway.client.get(f"{base}/diff", params={"task": "t-b"})).status_code == 404
    files = await gateway.get(f"{base}/files")
    assert [item["path"] for item in files["items"]] == ["auth/jwt.py"]
    file = await gateway.client.get(f"{base}/files/auth/jwt.py")
    assert (file.text, file.headers["x-content-type-options"]) == (CODE, "nosniff")
    assert (await gateway.client.get(f"{base}/files/auth/none.py")).status_code == 404
    bundle = await gateway.client.get(f"{base}/bundle")
    (tmp_path / "result.bundle").write_bytes(bundle.content)
    clone = await asyncio.create_subprocess_exec("git", "clone", "-q", "result.bundle", "result", cwd=tmp_path)
    assert await clone.wait() == 0
    assert (tmp_path / "result" / "auth" / "jwt.py").read_text() == CODE


async def test_names_and_contents_outside_utf8_are_read_with_their_bytes(
    gateway: Gateway, log: JetStreamEventLog, bus: Client, tmp_path: Path
) -> None:
    odd = {
        os.fsdecode(b"caf\xe9.txt"): b"caf\xe9\r\n\xff\n",
        "na\\xefve": b"literal\n",
        "漢.txt": b"\xef\xbb\xbfx\n",
    }
    goal_id, _ = await merged(gateway, log, bus, tmp_path, **odd)
    base = f"/api/v1/goals/{goal_id}"
    diff = await gateway.get(f"{base}/diff", after=await log.last_seq())
    names = {item["path"] for item in diff["files"]}
    assert names == {"auth/jwt.py", "caf\\xe9.txt", "na\\xefve", "漢.txt"}
    assert "+caf\\xe9" in diff["diff"]
    one = await gateway.client.get(f"{base}/diff", params={"path": "caf\\xe9.txt"})
    assert "+caf\\xe9" in one.json()["diff"]
    assert {item["path"] for item in (await gateway.get(f"{base}/files"))["items"]} == names
    for path, data in {
        "caf%5Cxe9.txt": b"caf\xe9\r\n\xff\n",
        "caf%E9.txt": b"caf\xe9\r\n\xff\n",
        "na%5Cxefve": b"literal\n",
        "%E6%BC%A2.txt": b"\xef\xbb\xbfx\n",
    }.items():
        answer = await gateway.client.get(f"{base}/files/{path}")
        assert (answer.status_code, answer.content) == (200, data)
    assert (await gateway.client.get(f"{base}/files/%FF%FE")).status_code == 404
    assert (await gateway.client.get(f"{base}/bundle")).status_code == 200


async def test_a_goal_without_changes_has_an_empty_branch(gateway: Gateway) -> None:
    submitted = await gateway.submit()
    diff = await gateway.get(f"/api/v1/goals/{submitted['goal_id']}/diff", after=submitted["sequence"])
    assert (diff["diff"], diff["files"], diff["head"]) == ("", [], ROOT_COMMIT)
    assert (await gateway.get(f"/api/v1/goals/{submitted['goal_id']}/files"))["items"] == []


async def test_ready_means_that_everything_behind_it_answers(gateway: Gateway, bus: Client) -> None:
    await orchestrated(bus)
    submitted = await gateway.submit()
    await gateway.get("/api/v1/goals", after=submitted["sequence"])
    ready = await gateway.get("/health/ready")
    assert (ready["status"], ready["lag"]) == ("ready", 0)
    assert await gateway.get("/ready") == ready
    assert await gateway.get("/health") == {"status": "live"}
    queues = await gateway.get("/api/v1/queues")
    idle = {"lane": "p0", "waiting": 0, "held": 0, "workers": 0, "pulls": 0, "problem": ""}
    idle |= {"paused": "", "oldest_at": None}
    assert {"agent_type": "coding", **idle} in queues["items"]


async def test_a_queue_tells_how_many_living_workers_serve_it(gateway: Gateway, bus: Client) -> None:
    fleet = NatsFleet(bus)
    for name, types in (("Worker-1", ("architect", "planner")), ("Worker-2", ("planner",)), ("Worker-3", ())):
        await fleet.publish(WorkerStatus(worker=name, instance="i", types=types, slots=1))

    async def told() -> bool:
        items = (await gateway.get("/api/v1/queues"))["items"]
        counts = {item["agent_type"]: item["workers"] for item in items}
        return (counts["planner"], counts["architect"], counts["noop"]) == (2, 1, 0)

    await until(told, what="all three have been heard")


async def test_an_order_that_nobody_can_take_says_so(gateway: Gateway, bus: Client) -> None:
    submitted = await gateway.submit(workflow=[{"key": "a", "title": "Do a", "agent": "coding"}])
    goal_id = submitted["goal_id"]
    order = TaskEnqueued(
        task_id="t-a", agent="coding", agent_type="coding", attempt=1, lane="p2", title="Do a", timeout_s=60
    )
    seq = await write(JetStreamEventLog(bus), goal_id, "t-a", order, "coding", "p2")
    (task,) = (await gateway.get(f"/api/v1/goals/{goal_id}/tasks", after=seq))["items"]
    assert task["reason"] == "no running worker serves `coding`: start one with `agenthub worker coding`"


async def test_figures_are_there_for_prometheus(gateway: Gateway) -> None:
    submitted = await gateway.submit()
    await gateway.get(f"/api/v1/goals/{submitted['goal_id']}", after=submitted["sequence"])
    response = await gateway.client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = text_string_to_metric_families(response.text)
    figures = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }
    assert figures["agenthub_log_sequence",] == 1
    assert figures["agenthub_projection_lag_events",] == 0
    assert figures["agenthub_queue_waiting", ("agent_type", "coding"), ("lane", "p0")] == 0
    asked = (("http_request_method", "GET"), ("http_response_status_code", "200"))
    route = ("http_route", "/api/v1/goals/{goal_id}")
    assert figures["http_server_request_duration_seconds_count", *asked, route] == 1
    assert figures["agenthub_goals", ("status", "accepted")] == 1
    assert figures["agenthub_questions_open",] == figures["agenthub_dead_letters_open",] == 0
    assert figures["agenthub_stream_messages", ("stream", "EVENTS")] == 1
    assert submitted["goal_id"] not in response.text


async def test_the_web_ui_brings_everything_itself(gateway: Gateway) -> None:
    page = await gateway.client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert page.headers["cache-control"] == "no-cache"
    assets = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert all(asset.startswith("/static/") for asset in assets if asset != "/schema")
    assert len(assets) >= 4
    script = next(asset for asset in assets if re.fullmatch(r"/static/assets/index-[\w-]+\.js", asset))
    assert not re.search(r"<script(?![^>]* src=)|\son\w+=|style=", page.text)
    for asset in assets:
        file = await gateway.client.get(asset)
        assert file.status_code == 200
        assert not re.search(r"@import|//cdn|fonts\.g", file.text), asset
    lasting = await gateway.client.get(script, headers={"Accept-Encoding": "gzip, br"})
    assert lasting.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert lasting.headers["content-encoding"] == "br"
    plain = await gateway.client.get(script, headers={"Accept-Encoding": "br;q=0"})
    assert "content-encoding" not in plain.headers


async def test_the_web_ui_answers_at_its_own_addresses_and_nowhere_else(gateway: Gateway) -> None:
    for path in ("/new", "/goals/g-1", "/inbox", "/review", "/review/g-1", "/plan/g-1", "/fleet", "/analytics"):
        page = await gateway.client.get(path)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8"), path
    for path in (
        "/static/..%2Fapp.py",
        "/static/app.py",
        "/static/../app.py",
        "/goals/a/b",
        "/nothing",
        "/api/v1/x",
    ):
        missing = await gateway.client.get(path)
        assert (missing.status_code, missing.json()["type"]) == (404, "/problems/not-found"), path


async def test_the_api_describes_itself_without_anything_from_elsewhere(gateway: Gateway) -> None:
    document = await gateway.get("/schema/openapi.json")
    assert document["openapi"].startswith("3.1")
    assert document["components"]["schemas"]["SubmitBody"]["additionalProperties"] is False
    assert set(document["paths"]) >= {
        "/api/v1/goals",
        "/goals",
        "/api/v1/stream",
        "/api/v1/goals/{goal_id}/rework",
    }
    page = await gateway.client.get("/schema")
    assert page.headers["content-type"].startswith("text/html")
    assert "/api/v1/goals" in page.text
    assert not re.search(r"https?://|//cdn", page.text)
    kinds = await gateway.get("/problems")
    assert {"type", "status", "title", "remedy"} == set(kinds[0])


async def test_answers_fit_the_schemas_that_the_api_promises(gateway: Gateway, bus: Client) -> None:
    await orchestrated(bus)
    document = await gateway.get("/schema/openapi.json")
    submitted = await gateway.submit()
    await gateway.get("/api/v1/goals", after=submitted["sequence"])
    goal_id = submitted["goal_id"]
    assert_fits(document, "GoalSubmitted", submitted)
    for path in ("/api/v1/goals", "/api/v1/goals/{goal_id}", "/api/v1/goals/{goal_id}/tasks", "/health/ready"):
        promised = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        assert_fits(document, promised["$ref"].rpartition("/")[2], await gateway.get(path.format(goal_id=goal_id)))
    problem = await gateway.client.post("/api/v1/goals", json={"goals": 1})
    assert_fits(document, "Problem", problem.json())


def assert_fits(document: dict[str, Any], name: str, value: Any) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(value)
