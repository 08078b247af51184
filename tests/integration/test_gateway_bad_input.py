"""Bad input gets the right problem document, and nothing of it enters the log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from nats.aio.client import Client

from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from tests.support.gateway import Gateway, running_gateway, settings


@pytest.fixture
async def gateway(bus: Client, nats_server: NatsServer, database_url: str) -> AsyncIterator[Gateway]:
    async with running_gateway(settings(nats_server.authorised_url, database_url)) as running:
        yield running
        assert await JetStreamEventLog(bus).last_seq() == 0, "something entered the log"


def task(key: str, *depends_on: str, **more: Any) -> dict[str, Any]:
    return {"key": key, "title": key.title(), "depends_on": list(depends_on), **more}


async def refused(gateway: Gateway, body: Any, status: int, slug: str) -> dict[str, Any]:
    response = await gateway.client.post("/api/v1/goals", json=body)
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem: dict[str, Any] = response.json()
    assert (problem["status"], problem["type"]) == (status, f"/problems/{slug}"), problem
    assert response.status_code == status
    return problem


def keys(problem: dict[str, Any]) -> list[str]:
    return [error["key"] for error in problem["errors"]]


async def test_unknown_fields_are_refused_with_their_names_and_a_suggestion(gateway: Gateway) -> None:
    body = {
        "goal": "Build",
        "requirments": [],
        "constraints": {"max_tme": "4h"},
        "workflow": [{"key": "a", "titel": "A"}],
    }
    problem = await refused(gateway, body, 422, "invalid-input")
    assert keys(problem) == ["requirments", "constraints.max_tme", "workflow[0].titel"]
    assert "did you mean `requirements`?" in problem["errors"][0]["message"]
    assert "did you mean `max_time`?" in problem["errors"][1]["message"]


UNFITTING: list[tuple[dict[str, Any], str]] = [
    ({"goal": 5}, "goal"),
    ({}, "goal"),
    ({"goal": ""}, "goal"),
    ({"goal": "   "}, "goal"),
    ({"goal": "x" * 8_001}, "goal"),
    ({"goal": "x", "requirements": "Unit tests"}, "requirements"),
    ({"goal": "x", "requirements": ["x"] * 51}, "requirements"),
    ({"goal": "x", "requirements": ["x" * 501]}, "requirements[0]"),
    ({"goal": "x", "constraints": {"must_pass_tests": "yes"}}, "constraints.must_pass_tests"),
    ({"goal": "x", "constraints": {"max_llm_calls": -1}}, "constraints.max_llm_calls"),
    ({"goal": "x", "constraints": {"max_time": "soon"}}, "constraints.max_time"),
    ({"goal": "x", "constraints": {"max_time": "400 days"}}, "constraints.max_time"),
    ({"goal": "x", "priority": "asap"}, "priority"),
    ({"goal": "x", "autonomy": "total"}, "autonomy"),
    ({"goal": "x", "repository": "somewhere"}, "repository"),
    ({"goal": "x", "repository": "/srv/repositories/a"}, "repository"),
    ({"goal": "x", "repository": "https://me:secret@example.org/a.git"}, "repository"),
    ({"goal": "x", "repository": "git@example.org:a.git"}, "repository"),
    ({"goal": "x", "repository": "https://token-of-mine@example.org/a.git"}, "repository"),
    ({"goal": "x", "repository": "http://[::1"}, "repository"),
]


async def test_what_does_not_fit_is_refused_where_it_stands(gateway: Gateway) -> None:
    for body, key in UNFITTING:
        problem = await refused(gateway, body, 422, "invalid-input")
        assert keys(problem) == [key]
        assert problem["errors"][0]["message"]


SEVERAL: list[tuple[dict[str, Any], list[str]]] = [
    ({"priority": "asap", "autonomy": "total"}, ["priority", "autonomy", "goal"]),
    ({"goal": "", "requirements": ["", "ok", 5, "  "]}, ["goal", *(f"requirements[{at}]" for at in (0, 2, 3))]),
    (
        {"goal": " ", "constraints": {"max_time": "soon", "max_llm_calls": -1, "max_cost_usd": "much"}},
        ["constraints.max_llm_calls", "constraints.max_cost_usd", "goal", "constraints.max_time"],
    ),
    (
        {"goal": "x", "constraints": {"network": ["*.example.org", "a b", "api.example.org"]}, "notify": ["x y"]},
        ["notify[0]", "constraints.network[0]", "constraints.network[1]"],
    ),
    (
        {"goal": "x", "notify": ["ab", "nobody"], "constraints": {"max_time": "soon"}},
        ["notify[0]", "notify[1]", "constraints.max_time"],
    ),
    (
        {"goal": "\u200b", "repository": "somewhere", "workflow": [task("a", "ghost")]},
        ["goal", "workflow", "repository"],
    ),
    (
        {"goal": "x", "requirements": "one", "workflow": [task("a", requirement_ids=["R1"])], "setup": [" "]},
        ["requirements", "setup[0]"],
    ),
    (
        {"goal": "x", "checks": [{"name": "Lint"}, {"name": "types", "command": ""}], "max_time": "1 h"},
        ["checks[0].name", "checks[0].command", "checks[1].command", "max_time"],
    ),
    ({"goal": "x", "workflow": [{"key": 1, "agent": 2}, {"title": 3}]}, [
        "workflow[0].key", "workflow[0].agent", "workflow[0].title", "workflow[1].title", "workflow[1].key",
    ]),
]  # fmt: skip


async def test_of_several_mistakes_each_is_named_where_it_stands(gateway: Gateway) -> None:
    for body, places in SEVERAL:
        problem = await refused(gateway, body, 422, "invalid-input")
        assert keys(problem) == places
        assert all(error["message"] for error in problem["errors"])
        # The form asks the same before anything is submitted, in the same way.
        asked = await gateway.client.post("/api/v1/goals/check", json=body)
        told = asked.json()
        assert [error["key"] for error in told.get("refusals", told.get("errors"))] == places
        inner = {"goal": body, "name": "nightly", "cron": "99 9 9 9 9", "time_zone": "Mars/Base"}
        response = await gateway.client.post("/api/v1/schedules", json=inner)
        named = {error["key"] for error in response.json()["errors"]}
        assert named == {"cron", "time_zone", *(f"goal.{place}" for place in places)}


IMPOSSIBLE: list[tuple[list[dict[str, Any]], str]] = [
    ([], "the plan is empty"),
    ([task("a", "b"), task("b", "a")], "which comes later"),
    ([task("a", "a")], "depends on itself"),
    ([task("a", "ghost")], "which is not in the plan"),
    ([task("a"), task("a")], "used twice"),
    ([task("a", agent="wizard")], "unknown agent `wizard`"),
    ([task("a", requirement_ids=["R7"])], "unknown requirement `R7`"),
    ([task("!!!")], "lower-case letters"),
]


async def test_a_workflow_that_cannot_run_is_refused_with_every_violation(gateway: Gateway) -> None:
    for workflow, words in IMPOSSIBLE:
        problem = await refused(gateway, {"goal": "x", "workflow": workflow}, 422, "invalid-plan")
        assert any(words in error["message"] for error in problem["errors"]), problem
        assert set(keys(problem)) == {"workflow"}


async def test_a_body_that_is_no_json_is_refused(gateway: Gateway) -> None:
    for body in (b"", b"{", b"\xff\xfe", b"goal=Build"):
        response = await gateway.client.post("/api/v1/goals", content=body)
        assert (response.status_code, response.json()["type"]) == (400, "/problems/malformed-json")


async def test_a_body_that_is_no_object_is_refused(gateway: Gateway) -> None:
    problem = await refused(gateway, ["Build"], 422, "invalid-input")
    assert "Expected a JSON object, got an array" in problem["detail"]


async def test_a_huge_body_is_refused(gateway: Gateway) -> None:
    response = await gateway.client.post("/api/v1/goals", content=b'{"goal": "' + b"x" * 5_000_000 + b'"}')
    assert (response.status_code, response.json()["type"]) == (413, "/problems/too-large")


async def test_an_idempotency_key_that_cannot_be_used_is_refused(gateway: Gateway) -> None:
    for key in ("", "x" * 201):
        response = await post(gateway, {"Idempotency-Key": key})
        assert response.status_code == 422
        assert response.json()["errors"][0]["key"] == "Idempotency-Key"


async def test_a_foreign_host_is_refused(gateway: Gateway) -> None:
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::2]:8000", ""):
        response = await post(gateway, {"Host": host})
        assert (response.status_code, response.json()["type"]) == (403, "/problems/foreign-host")


async def test_a_foreign_origin_is_refused(gateway: Gateway) -> None:
    foreign = (
        "https://evil.example",
        "null",
        "http://localhost.evil.example:8000",
        "file://",
        "http://localhost:1",
    )
    for origin in foreign:
        response = await post(gateway, {"Origin": origin})
        assert (response.status_code, response.json()["type"]) == (403, "/problems/foreign-origin")


async def test_commands_to_an_unknown_goal_are_not_found(gateway: Gateway) -> None:
    ghost = "g-" + "0" * 26
    calls: list[tuple[str, Any]] = [
        ("rework", {"feedback": "More"}),
        ("approve", {"ready_seq": 1}),
        ("cancel", None),
        ("pause", None),
        ("resume", None),
        ("tests", None),
        ("budget", {"max_llm_calls": 900}),
        ("priority", {"priority": "high"}),
        ("plan", {"action": "approve", "revision": 1}),
        ("tasks/t-a/note", {"text": "Hello"}),
    ]
    for goal_id in (ghost, "goal-123", "*", ">"):
        for path, body in calls:
            response = await gateway.client.post(f"/api/v1/goals/{goal_id}/{path}", json=body)
            assert response.status_code == 404, (goal_id, path, response.text)
            assert response.json()["type"] == "/problems/not-found"


async def test_unknown_paths_methods_and_parameters_are_problems_too(gateway: Gateway) -> None:
    missing = await gateway.client.get("/api/v1/nothing")
    assert (missing.status_code, missing.json()["type"]) == (404, "/problems/not-found")
    method = await gateway.client.delete("/api/v1/goals")
    assert (method.status_code, method.json()["type"]) == (405, "/problems/method-not-allowed")
    parameter = await gateway.client.get("/api/v1/goals", params={"limit": "many"})
    assert (parameter.status_code, parameter.json()["errors"][0]["key"]) == (400, "limit")
    kind = await gateway.client.get("/api/v1/stream", params={"type": "task.exploded"})
    assert (kind.status_code, kind.json()["errors"][0]["key"]) == (422, "type")


async def post(gateway: Gateway, headers: dict[str, str]) -> httpx2.Response:
    return await gateway.client.post("/api/v1/goals", json={"goal": "x"}, headers=headers)


async def test_a_body_that_is_nested_without_end_is_refused(gateway: Gateway) -> None:
    for body in (b"[" * 100_000, b'{"goal": ' + b"[" * 50_000, b'{"a":' * 50_000):
        response = await gateway.client.post("/api/v1/goals", content=body)
        assert (response.status_code, response.json()["type"]) == (400, "/problems/malformed-json")


async def test_of_very_many_mistakes_the_first_are_listed(gateway: Gateway) -> None:
    problem = await refused(gateway, {f"field-{number}": 1 for number in range(20_000)}, 422, "invalid-input")
    assert keys(problem) == [f"field-{number}" for number in range(20)]
    assert problem["detail"].endswith("; and more")
    broken = [task(f"a{number}", "ghost") for number in range(300)]
    problem = await refused(gateway, {"goal": "x", "workflow": broken}, 422, "invalid-plan")
    assert (len(problem["errors"]), problem["detail"].endswith("; and more")) == (20, True)


async def test_a_parameter_is_called_what_its_caller_called_it(gateway: Gateway) -> None:
    for path, name in (
        ("interventions?state=zzz", "state"),
        ("dead-letters?state=zzz", "state"),
        ("stream?from=-1", "from"),
        ("goals?limit=0", "limit"),
    ):
        response = await gateway.client.get(f"/api/v1/{path}")
        assert (response.status_code, [error["key"] for error in response.json()["errors"]]) == (400, [name])


async def test_filters_that_fit_no_goal_are_refused_with_what_there_is(gateway: Gateway) -> None:
    for name, words in (("status", "ready_for_review, completed"), ("priority", "low, normal, high, urgent")):
        response = await gateway.client.get("/api/v1/goals", params={name: "foo"})
        assert (response.status_code, response.json()["errors"][0]["key"]) == (422, name)
        assert words in response.json()["detail"]
