"""Submitting goals and telling them things, over HTTP on the real log."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client

from agenthub_events.base import Event
from agenthub_events.catalogue.agent import AgentAnswered, AgentBlocked, AgentEscalated
from agenthub_events.catalogue.goal import GoalAccepted, GoalReadyForReview, GoalReplanned
from agenthub_events.catalogue.task import TaskCompleted, TaskDeadLettered, TaskEnqueued, TaskNoted, TaskRequeued
from agenthub_events.catalogue.values import TaskEdits, TaskResult
from agenthub_events.notifications.escalation import Audience, Escalation
from agenthub_gateway.app import ServerPatience
from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.jetstream.event_log import JetStreamEventLog
from agenthub_runtime.operations.escalation import said as told
from agenthub_runtime.operations.registry import registered
from agenthub_runtime.repository.git import Git
from agenthub_runtime.repository.goal import ROOT_COMMIT, GoalRepository
from agenthub_runtime.settings.records import GatewaySettings
from tests.support.gateway import Gateway, planned, running_gateway, running_projector, settings, write
from tests.support.until import until


@pytest.fixture
def log(bus: Client) -> JetStreamEventLog:
    return JetStreamEventLog(bus)


@pytest.fixture
async def gateway(log: JetStreamEventLog, nats_server: NatsServer, database_url: str) -> AsyncIterator[Gateway]:
    async with (
        running_projector(log, database_url),
        running_gateway(settings(nats_server.authorised_url, database_url)) as running,
    ):
        yield running


async def types(log: JetStreamEventLog, goal_id: str) -> list[str]:
    return [recorded.subject.split(".", 3)[3] for recorded in await log.read(goal_id)]


async def tell(gateway: Gateway, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
    response = await gateway.client.post(f"/api/v1/{path}", json=body, headers=headers)
    return response.status_code, response.json()


async def test_a_goal_of_one_field_is_accepted_and_safely_in_the_log(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    response = await gateway.client.post("/api/v1/goals", json={"goal": "Build auth system"})
    assert response.status_code == 202
    answer = response.json()
    assert re.fullmatch(r"g-[0-9a-z]{26}", answer["goal_id"])
    assert response.headers["location"] == f"/api/v1/goals/{answer['goal_id']}"
    assert "idempotency-replayed" not in response.headers
    assert answer.pop("understood") == {
        "min_coverage": None,
        "security_audit": True,
        "must_pass_tests": True,
        "gates": ["tests", "security", "review"],
        "network": [],
    }
    assert answer.pop("warnings") == []
    assert answer | {"goal_id": "", "event_id": "", "sequence": 0} == {
        "goal_id": "",
        "status": "accepted",
        "workflow_generated": False,
        "estimated_tasks": None,
        "estimated_time": None,
        "estimated_completion": None,
        "event_id": "",
        "sequence": 0,
    }
    [stored] = await log.read(answer["goal_id"])
    assert isinstance(stored.event, GoalAccepted)
    assert (stored.seq, stored.event.event_id) == (answer["sequence"], answer["event_id"])
    assert (stored.event.goal, stored.event.submitted_by) == ("Build auth system", "local")
    assert stored.headers["traceparent"].startswith("00-")


async def test_every_field_of_a_submission_reaches_the_event(gateway: Gateway, log: JetStreamEventLog) -> None:
    body = {
        "goal": "Build complete authentication system",
        "requirements": ["Unit tests >80% coverage", "Security audit"],
        "constraints": {
            "max_time": "24 hours",
            "must_pass_tests": True,
            "require_security_audit": False,
            "max_cost_usd": 5,
            "max_llm_calls": 100,
            "network": ["API.example.com", "db.example.com:8443", "api.example.com:443"],
        },
        "priority": "high",
        "test_command": "pytest -q",
        "setup": ["make deps", "make stubs"],
        "autonomy": "approve_plan",
        "workflow": [
            {"key": "design", "title": "Design", "agent": "system-architect", "requirement_ids": ["R1"]},
            {"key": "build", "title": "Build", "depends_on": ["design"], "timeout_s": 60},
        ],
    }
    answer = await gateway.submit(**body)
    assert answer["understood"] == {
        "min_coverage": 80.0,
        "security_audit": True,
        "must_pass_tests": True,
        "gates": ["tests", "security", "review"],
        "network": ["api.example.com:443", "db.example.com:8443"],
    }
    [stored] = await log.read(answer["goal_id"])
    event = msgspec.to_builtins(stored.event)
    for field in ("goal", "requirements", "priority", "test_command", "setup", "autonomy"):
        assert list(event[field]) == list(body[field])
    assert event["constraints"] == {
        "max_time_s": 86_400,
        "require_security_audit": False,
        "max_cost_usd": 5.0,
        "max_llm_calls": 100,
        "network": ("api.example.com:443", "db.example.com:8443"),
    }
    assert [(task["key"], task.get("depends_on", ())) for task in event["workflow"]] == [
        ("design", ()),
        ("build", ("design",)),
    ]


async def test_the_short_address_and_the_first_design_s_command_work_as_they_stand(gateway: Gateway) -> None:
    command = [
        *("curl", "-sS", "-X", "POST", f"{gateway.url}/api/v1/goals", "-H", "Content-Type: application/json"),
        *(
            "-d",
            '{"goal": "Build authentication system with JWT", "requirements": ["Unit tests", "Security audit"]}',
        ),
    ]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert msgspec.json.decode(output)["status"] == "accepted"
    response = await gateway.client.post("/goals", json={"goal": "Build auth system"})
    assert response.status_code == 202


async def test_waiting_for_the_plan_answers_with_all_estimates(gateway: Gateway, log: JetStreamEventLog) -> None:
    response = await _submitted_and_then(gateway, log, "_", planned(*(f"task-{n}" for n in range(12))))
    answer = response.json()
    assert (response.status_code, answer["status"], answer["workflow_generated"]) == (
        202,
        "workflow_generated",
        True,
    )
    assert (answer["estimated_tasks"], answer["estimated_time"]) == (12, "4 hours")
    assert answer["estimated_completion"] == "2026-11-24T13:00:00Z"


async def test_waiting_for_a_plan_ends_when_the_planner_asks_a_person(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    question = AgentBlocked(question="Which shop?", task_id="plan-1", attempt=1)
    response = await asyncio.wait_for(_submitted_and_then(gateway, log, "plan-1", question), 120)
    assert (response.status_code, response.json()["status"]) == (202, "accepted")


async def _submitted_and_then(gateway: Gateway, log: JetStreamEventLog, task_id: str, event: Event) -> Any:
    """The answer to a submission that waits for its plan, while `event` happens to the goal."""

    async def happens() -> None:
        stored = [recorded async for batch in _first(log) for recorded in batch]
        await write(log, stored[0].subject.split(".")[1], task_id, event)

    happening = asyncio.ensure_future(happens())
    response = await gateway.client.post("/api/v1/goals", params={"wait": "plan"}, json={"goal": "Build"})
    await happening
    return response


async def _first(log: JetStreamEventLog) -> AsyncIterator[list[Any]]:
    following = log.follow(after=0)
    async for batch in following:
        if batch:
            yield batch
            break
    await following.aclose()


async def test_the_same_key_finds_the_same_goal_and_another_body_is_refused(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    headers = {"Idempotency-Key": "order-66"}
    sent = [
        await gateway.client.post("/api/v1/goals", content=body, headers=headers)
        for body in (b'{"goal": "A", "priority": "high"}', b'{ "priority":"high","goal":"A" }')
    ]
    assert [response.status_code for response in sent] == [202, 202]
    assert sent[0].json() == sent[1].json()
    assert [response.headers.get("idempotency-replayed") for response in sent] == [None, "true"]
    other = await gateway.client.post("/api/v1/goals", json={"goal": "B"}, headers=headers)
    assert (other.status_code, other.json()["type"]) == (409, "/problems/idempotency-key-reused")
    assert await log.last_seq() == 1


async def test_many_submissions_with_one_key_at_once_make_one_goal(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    responses = await asyncio.gather(
        *(
            gateway.client.post("/api/v1/goals", json={"goal": goal}, headers={"Idempotency-Key": "k"})
            for goal in ["A"] * 8 + ["B"] * 8
        )
    )
    assert Counter(response.status_code for response in responses) == {202: 8, 409: 8}
    assert len({response.json()["goal_id"] for response in responses if response.status_code == 202}) == 1
    assert await log.last_seq() == 1


async def ready_goal(gateway: Gateway, log: JetStreamEventLog) -> tuple[str, int]:
    goal_id = (await gateway.submit())["goal_id"]
    await write(log, goal_id, "_", planned("a"))
    ready = await write(log, goal_id, "_", GoalReadyForReview(revision=1, head="c" * 40, summary="Done"))
    return goal_id, ready


async def test_a_result_is_approved_as_it_was_seen(gateway: Gateway, log: JetStreamEventLog) -> None:
    goal_id, ready = await ready_goal(gateway, log)
    shown = await gateway.get(f"/api/v1/goals/{goal_id}", after=ready)
    assert (shown["status"], shown["ready_seq"]) == ("ready_for_review", ready)
    status, answer = await tell(gateway, f"goals/{goal_id}/approve")
    assert status == 202
    assert (answer["goal_id"], answer["sequence"], answer["status"]) == (goal_id, ready + 1, "accepted")
    again, same = await tell(gateway, f"goals/{goal_id}/approve", {"ready_seq": ready})
    assert (again, same) == (202, answer)
    assert (await types(log, goal_id))[-1] == "goal.approved"


async def test_a_result_that_has_changed_is_not_approved(gateway: Gateway, log: JetStreamEventLog) -> None:
    goal_id, ready = await ready_goal(gateway, log)
    newer = await write(log, goal_id, "_", GoalReadyForReview(revision=1, head="d" * 40, summary="Changed"))
    status, problem = await tell(gateway, f"goals/{goal_id}/approve", {"ready_seq": ready})
    assert (status, problem["type"]) == (409, "/problems/changed-since")
    assert (await tell(gateway, f"goals/{goal_id}/approve", {"ready_seq": newer}))[0] == 202


async def test_approvals_and_reworks_that_race_leave_one_truth(gateway: Gateway, log: JetStreamEventLog) -> None:
    goal_id, ready = await ready_goal(gateway, log)
    results = await asyncio.gather(
        *(tell(gateway, f"goals/{goal_id}/approve", {"ready_seq": ready}) for _ in range(6)),
        *(tell(gateway, f"goals/{goal_id}/rework", {"feedback": f"Change {n}"}) for n in range(3)),
    )
    stored = await types(log, goal_id)
    assert stored.count("goal.rework_requested") == 3
    assert stored.count("goal.approved") <= 1
    assert [status for status, _ in results[6:]] == [202, 202, 202]
    approved = "goal.approved" in stored
    for status, answer in results[:6]:
        assert status in (202, 409)
        if not approved:
            assert (status, answer["type"] in ("/problems/changed-since", "/problems/not-ready")) == (409, True)


async def test_a_rework_is_accepted_with_its_id_and_once_for_each_key(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    goal_id, _ = await ready_goal(gateway, log)
    body = {"feedback": "Please add 2FA support", "priority": "high"}
    first = await tell(gateway, f"goals/{goal_id}/rework", body, **{"Idempotency-Key": "r1"})
    second = await tell(gateway, f"goals/{goal_id}/rework", body, **{"Idempotency-Key": "r1"})
    assert first == second
    status, answer = first
    assert (status, answer["goal_id"], answer["status"]) == (202, goal_id, "rework_accepted")
    assert answer["rework_id"].startswith("r-")
    other, problem = await tell(
        gateway, f"goals/{goal_id}/rework", {"feedback": "Else"}, **{"Idempotency-Key": "r1"}
    )
    assert (other, problem["type"]) == (409, "/problems/idempotency-key-reused")
    assert (await types(log, goal_id)).count("goal.rework_requested") == 1


async def test_commands_that_are_already_so_change_nothing(gateway: Gateway, log: JetStreamEventLog) -> None:
    goal_id = (await gateway.submit())["goal_id"]
    for path in ("pause", "pause", "resume", "resume", "tests", "cancel", "cancel"):
        status, answer = await tell(gateway, f"goals/{goal_id}/{path}")
        assert (status, answer["status"]) == (202, "accepted")
    assert await types(log, goal_id) == [
        "goal.accepted",
        "goal.paused",
        "goal.resumed",
        "goal.tests_requested",
        "goal.cancelled",
    ]
    status, problem = await tell(gateway, f"goals/{goal_id}/resume")
    assert (status, problem["type"]) == (409, "/problems/goal-closed")


async def test_limits_are_only_raised(gateway: Gateway, log: JetStreamEventLog) -> None:
    goal_id = (await gateway.submit(constraints={"max_cost_usd": 2}))["goal_id"]
    assert (await tell(gateway, f"goals/{goal_id}/budget", {"max_cost_usd": 3, "max_llm_calls": 900}))[0] == 202
    status, problem = await tell(gateway, f"goals/{goal_id}/budget", {"max_cost_usd": 1})
    assert (status, problem["type"]) == (409, "/problems/budget-lowered")
    assert (await tell(gateway, f"goals/{goal_id}/budget", {}))[0] == 422
    assert (await tell(gateway, f"goals/{goal_id}/priority", {"priority": "urgent"}))[0] == 202


async def test_a_plan_is_edited_and_approved_as_it_was_seen(gateway: Gateway, log: JetStreamEventLog) -> None:
    goal_id = (await gateway.submit(autonomy="approve_plan"))["goal_id"]
    await write(log, goal_id, "_", planned("a", "b"))
    tasks = [{"key": "a", "title": "A"}, {"key": "c", "title": "C", "depends_on": ["a"]}]
    edit = {"action": "edit", "revision": 1, "tasks": tasks}
    assert (await tell(gateway, f"goals/{goal_id}/plan", edit))[0] == 202
    replanned = (await log.read(goal_id))[-1].event
    assert isinstance(replanned, GoalReplanned)
    assert ([task.task_id for task in replanned.added], replanned.dropped) == (["t-a", "t-c"], ("t-b",))
    status, problem = await tell(gateway, f"goals/{goal_id}/plan", {"action": "approve", "revision": 1})
    assert (status, problem["type"]) == (409, "/problems/changed-since")
    assert problem["revision"] == 2
    assert [(t["key"], t.get("depends_on", [])) for t in problem["tasks"]] == [("a", []), ("c", ["t-a"])]
    bad = {"action": "edit", "revision": 2, "tasks": [{"key": "a", "title": "A", "depends_on": ["ghost"]}]}
    assert (await tell(gateway, f"goals/{goal_id}/plan", bad))[1]["type"] == "/problems/invalid-plan"
    assert (await tell(gateway, f"goals/{goal_id}/plan", {"action": "approve", "revision": 2}))[0] == 202
    status, problem = await tell(gateway, f"goals/{goal_id}/plan", edit | {"revision": 2})
    assert (status, problem["type"]) == (409, "/problems/plan-approved")


def order(attempt: int = 1) -> TaskEnqueued:
    return TaskEnqueued(
        task_id="t-a",
        agent="coding",
        agent_type="coding",
        attempt=attempt,
        lane="p2",
        title="A",
        timeout_s=60,
    )


@pytest.mark.parametrize("words", [" \n\t", "\u200b\u2060", "\u3164"])
async def test_blank_words_begin_no_work_and_answer_nothing(
    gateway: Gateway, log: JetStreamEventLog, words: str
) -> None:
    """A rework of nothing would cost the calls of a planner."""
    goal_id = (await gateway.submit())["goal_id"]
    await write(log, goal_id, "_", planned("a"))
    await write(log, goal_id, "t-a", order(), "coding", "p2")
    before = await log.read(goal_id)
    for call, field in ((f"goals/{goal_id}/rework", "feedback"), (f"goals/{goal_id}/tasks/t-a/note", "text")):
        status, problem = await tell(gateway, call, {field: words})
        assert (status, problem["errors"][0]["key"]) == (422, field)
        assert "blank" in problem["detail"]
    assert await log.read(goal_id) == before


async def test_a_note_reaches_a_running_task_only(gateway: Gateway, log: JetStreamEventLog) -> None:
    goal_id = (await gateway.submit())["goal_id"]
    await write(log, goal_id, "_", planned("a"))
    note = f"goals/{goal_id}/tasks/t-a/note"
    status, problem = await tell(gateway, note, {"text": "Hello"})
    assert (status, problem["type"]) == (409, "/problems/task-not-running")
    await write(log, goal_id, "t-a", order(), "coding", "p2")
    assert (await tell(gateway, note, {"text": "Use argon2"}))[0] == 202
    noted = (await log.read(f"{goal_id}.t-a"))[-1].event
    assert isinstance(noted, TaskNoted)
    assert (noted.text, noted.by) == ("Use argon2", "local")
    done = TaskCompleted(task_id="t-a", agent="coding", attempt=1, result=TaskResult(summary="Done"))
    await write(log, goal_id, "t-a", done)
    status, problem = await tell(gateway, note, {"text": "Too late"})
    assert (status, "task.completed" in problem["detail"]) == (409, True)
    assert (await tell(gateway, f"goals/{goal_id}/tasks/t-ghost/note", {"text": "x"}))[0] == 404


async def asked(gateway: Gateway, log: JetStreamEventLog) -> tuple[str, str, int]:
    goal_id = (await gateway.submit())["goal_id"]
    await write(log, goal_id, "_", planned("a"))
    await write(log, goal_id, "t-a", order(), "coding", "p2")
    question = AgentBlocked(question="Which one?", task_id="t-a", options=("Redis", "Postgres"), attempt=1)
    seq = await write(log, goal_id, "t-a", question)
    page = await gateway.get("/api/v1/interventions", after=seq)
    [item] = page["items"]
    assert page["notifications"] == [
        {
            "type": "intervention_required",
            "workflow_id": goal_id,
            "blocked_tasks": [{"task_id": "t-a", "title": "A", "blocker_reason": "Which one?"}],
            "message": "Agents need your input to continue",
        }
    ]
    return goal_id, item["id"], seq


async def test_a_question_is_answered_once_and_the_second_is_told_by_whom(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    goal_id, question, seq = await asked(gateway, log)
    path = f"interventions/{question}/answer"
    assert (await tell(gateway, path, {"action": "answer", "option": "MySQL"}))[0] == 422
    assert (await tell(gateway, path, {"action": "answer"}))[0] == 422
    await write(log, goal_id, "t-a", AgentEscalated(level=1, blocked_seq=seq, task_id="t-a"))
    body = {"action": "answer", "option": "Postgres", "text": "We run it already"}
    first = await tell(gateway, path, body, **{"Idempotency-Key": "a"})
    assert first[0] == 202
    assert await tell(gateway, path, body, **{"Idempotency-Key": "a"}) == first
    answered = (await log.read(f"{goal_id}.t-a"))[-1].event
    assert isinstance(answered, AgentAnswered)
    assert (answered.option, answered.by, answered.blocked_seq) == ("Postgres", "local", seq)
    status, problem = await tell(gateway, path, {"action": "skip"})
    assert (status, problem["type"]) == (409, "/problems/already-answered")
    assert "Answered by local" in problem["detail"]
    page = await gateway.get(f"/api/v1/goals/{goal_id}/interventions", after=first[1]["sequence"])
    assert [(item["state"], item["answered_by"]) for item in page["items"]] == [("answered", "local")]
    assert page["notifications"] == []


async def test_a_question_says_what_follows_from_an_answer_and_from_none(
    gateway: Gateway, log: JetStreamEventLog, bus: Client, nats_server: NatsServer, database_url: str
) -> None:
    goal_id, _, seq = await asked(gateway, log)
    later = Escalation(after_s=60, reminders=2, unanswered="skip")
    people = Audience(always=("dana@example.org",), later=("oncall@example.org",))
    async with (
        registered(bus, "orchestrator", instance="o", description="-", status=lambda: told(later)),
        registered(bus, "notifier", instance="n", description="-", status=lambda: told(people)),
        running_gateway(settings(nats_server.authorised_url, database_url)) as another,
    ):
        [item] = (await another.get("/api/v1/interventions", after=seq))["items"]
        asked_at = datetime.fromisoformat(item["asked_at"])
        assert [what for what in item["consequences"] if "the agent" not in what.lower()] == []
        assert len(item["consequences"]) == 2
        steps = item["if_unanswered"]
        assert [step["what"] for step in steps] == [
            "First reminder to dana@example.org and oncall@example.org",
            "Second reminder to the same",
            "The task is skipped, and what depends on it goes on without its result",
        ]
        waits = [(datetime.fromisoformat(step["at"]) - asked_at).total_seconds() for step in steps]
        assert waits == [60, 180, 420]
        raised = await write(log, goal_id, "t-a", AgentEscalated(level=1, blocked_seq=seq, task_id="t-a"))
        [item] = (await another.get(f"/api/v1/goals/{goal_id}/interventions", after=raised))["items"]
        again = datetime.fromisoformat(item["raised_at"])
        at = [datetime.fromisoformat(step["at"]) for step in item["if_unanswered"]]
        assert [(moment - again).total_seconds() for moment in at] == [120, 360]


async def test_without_an_orchestrator_nothing_is_promised(gateway: Gateway, log: JetStreamEventLog) -> None:
    _, _, seq = await asked(gateway, log)
    [item] = (await gateway.get("/api/v1/interventions", after=seq))["items"]
    assert item["if_unanswered"] == []


async def test_of_many_answers_at_once_one_counts(gateway: Gateway, log: JetStreamEventLog) -> None:
    goal_id, question, _ = await asked(gateway, log)
    results = await asyncio.gather(
        *(
            tell(gateway, f"interventions/{question}/answer", {"action": "answer", "text": str(n)})
            for n in range(8)
        )
    )
    assert Counter(status for status, _ in results) == {202: 1, 409: 7}
    assert (await types(log, goal_id)).count("agent.answered") == 1


async def test_an_answer_that_nobody_needs_is_told_so(gateway: Gateway, log: JetStreamEventLog) -> None:
    goal_id, question, _ = await asked(gateway, log)
    assert (await tell(gateway, f"goals/{goal_id}/cancel"))[0] == 202
    status, problem = await tell(gateway, f"interventions/{question}/answer", {"action": "retry"})
    assert (status, problem["type"]) == (409, "/problems/question-gone")
    assert (await tell(gateway, "interventions/nothing/answer", {"action": "retry"}))[0] == 404


async def test_a_dead_letter_is_requeued_with_edits_once(gateway: Gateway, log: JetStreamEventLog) -> None:
    goal_id = (await gateway.submit())["goal_id"]
    await write(log, goal_id, "_", planned("a"))
    await write(log, goal_id, "t-a", order(), "coding", "p2")
    seq = await write(log, goal_id, "t-a", TaskDeadLettered(task_id="t-a", attempt=1, reason="All was tried"))
    [letter] = (await gateway.get("/api/v1/dead-letters", after=seq))["items"]
    assert (letter["reason"], letter["state"]) == ("All was tried", "open")
    path = f"dead-letters/{letter['id']}"
    assert (await tell(gateway, f"{path}/requeue", {"edits": {"agent": "wizard"}}))[0] == 422
    status, refused = await tell(gateway, f"{path}/requeue", {"edits": {"title": "\u200b"}})
    assert (status, refused["errors"][0]["key"]) == (422, "edits.title")
    status, answer = await tell(gateway, f"{path}/requeue", {"edits": {"details": "Try without network"}})
    assert status == 202
    requeued = (await log.read(f"{goal_id}.t-a"))[-1].event
    assert isinstance(requeued, TaskRequeued)
    assert requeued.edits == TaskEdits(details="Try without network")
    status, problem = await tell(gateway, f"{path}/discard", {"reason": "No use"})
    assert (status, problem["type"]) == (409, "/problems/dead-letter-gone")
    assert "task.requeued" in problem["detail"]
    assert (await gateway.get("/api/v1/dead-letters", after=answer["sequence"]))["items"] == []


async def test_a_local_repository_is_taken_by_an_embedded_hub_only(
    log: JetStreamEventLog, nats_server: NatsServer, database_url: str, tmp_path: Path
) -> None:
    repository = await GoalRepository.open(tmp_path / "repo", InMemoryArtifacts())
    await Git(repository.path).run("update-ref", "HEAD", ROOT_COMMIT)
    elsewhere: GatewaySettings = settings(nats_server.authorised_url, database_url)
    async with running_gateway(elsewhere) as gateway:
        status, _ = await tell(gateway, "goals", {"goal": "x", "repository": str(tmp_path / "repo")})
        assert status == 422
    async with running_gateway(msgspec.structs.replace(elsewhere, embedded=True)) as gateway:
        status, problem = await tell(gateway, "goals", {"goal": "x", "repository": str(tmp_path)})
        assert (status, problem["errors"][0]["key"]) == (422, "repository")
        assert "There is no git repository at" in problem["detail"]
        answer = await gateway.submit(repository=f"file://{tmp_path / 'repo'}")
    [stored] = await log.read(answer["goal_id"])
    assert isinstance(stored.event, GoalAccepted)
    assert stored.event.repository == str(tmp_path / "repo")


async def test_a_goal_that_this_version_cannot_read_takes_no_command(gateway: Gateway, bus: Client) -> None:
    goal_id = (await gateway.submit())["goal_id"]
    await bus.jetstream().publish(f"evt.{goal_id}._.goal.transmuted", b'{"type": "goal.transmuted"}')
    status, problem = await tell(gateway, f"goals/{goal_id}/pause")
    assert (status, problem["type"]) == (409, "/problems/goal-frozen")


async def test_keys_name_who_acts_and_nobody_else_gets_in(
    log: JetStreamEventLog, nats_server: NatsServer, database_url: str
) -> None:
    keyed = settings(
        nats_server.authorised_url, database_url, api_keys=("anna:s3cret-of-anna-one", "s3cret-number-two")
    )
    async with running_gateway(keyed) as gateway:
        for wrong in ({}, {"Authorization": "Bearer nope"}, {"Authorization": "Basic s3cret-number-two"}):
            response = await gateway.client.post("/api/v1/goals", json={"goal": "x"}, headers=wrong)
            assert (response.status_code, response.json()["type"]) == (401, "/problems/unauthorized")
            assert response.headers["www-authenticate"] == "Bearer"
        assert (await gateway.client.get("/health/live", headers={"Host": "gateway"})).status_code == 200
        for open_to_all in ("/", "/goals/g-1", "/static/scheme.js", "/static/icon.svg"):
            assert (await gateway.client.get(open_to_all)).status_code == 200
        assert (await gateway.client.post("/goals/g-1")).status_code == 401
        for guarded in ("/schema", "/metrics", "/api/v1/goals", "/static/../metrics"):
            assert (await gateway.client.get(guarded)).status_code == 401
        for secret, name in (("s3cret-of-anna-one", "anna"), ("s3cret-number-two", "key-2")):
            headers = {"Authorization": f"Bearer {secret}"}
            response = await gateway.client.post("/api/v1/goals", json={"goal": "x"}, headers=headers)
            [stored] = await log.read(response.json()["goal_id"])
            assert isinstance(stored.event, GoalAccepted)
            assert (stored.event.submitted_by, stored.event.metadata["actor"]) == (name, name)


async def test_commands_go_on_without_postgres(log: JetStreamEventLog, nats_server: NatsServer) -> None:
    async with running_gateway(
        settings(nats_server.authorised_url, "postgresql://nobody@127.0.0.1:1/none")
    ) as gateway:
        answer = await gateway.submit()
        assert (await tell(gateway, f"goals/{answer['goal_id']}/pause"))[0] == 202
        response = await gateway.client.get("/api/v1/goals")
        assert (response.status_code, response.json()["type"]) == (503, "/problems/read-models-unavailable")
        ready = await gateway.client.get("/health/ready")
        assert ready.status_code == 503
        checks = ready.json()["checks"]
        assert [checks[name]["ok"] for name in ("nats", "postgres", "projection")] == [True, False, False]
        events = await gateway.get(f"/api/v1/goals/{answer['goal_id']}/events")
        assert [item["type"] for item in events["items"]] == ["goal.accepted", "goal.paused"]


async def test_without_the_bus_nothing_is_accepted_and_afterwards_everything_goes_on(
    nats_server: NatsServer, bus: Client, database_url: str
) -> None:
    wanted = settings(nats_server.authorised_url, database_url)
    async with running_gateway(wanted, patience=ServerPatience()) as gateway:
        await nats_server.stop()
        response = await gateway.client.post("/api/v1/goals", json={"goal": "x"})
        assert (response.status_code, response.json()["type"]) == (503, "/problems/log-unavailable")
        assert response.headers["retry-after"] == "1"
        assert (await gateway.client.get("/ready")).status_code == 503
        await nats_server.start()

        async def accepted() -> bool:
            same = {"Idempotency-Key": "k"}
            again = await gateway.client.post("/api/v1/goals", json={"goal": "x"}, headers=same)
            return again.status_code == 202

        await until(accepted)


async def test_what_looks_like_a_secret_is_stored_as_a_reference_and_stays_beside_the_log(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    dsn = "postgresql://app:app@localhost/app"
    submitted = await gateway.submit(
        goal=f"Use {dsn}", requirements=[f"on {dsn}"], test_command=f"DSN={dsn} make test"
    )
    [stored] = await log.read(submitted["goal_id"])
    assert isinstance(stored.event, GoalAccepted)
    texts = gateway.hub.writer.texts
    for text, said in (
        (stored.event.goal, f"Use {dsn}"),
        (stored.event.requirements[0], f"on {dsn}"),
        (stored.event.test_command, f"DSN={dsn} make test"),
    ):
        assert dsn not in text
        assert await texts.restored_text(text, submitted["goal_id"]) == said


async def test_what_a_goal_declares_as_secret_is_in_no_event_of_it(
    gateway: Gateway, log: JetStreamEventLog
) -> None:
    secret = "declared-secret-1"
    body = {"goal": f"Use {secret}", "secrets": [secret, 'with, comma "and quotes"']}
    answer = (await gateway.client.post("/api/v1/goals", json=body, headers={"Idempotency-Key": "once"})).json()
    goal_id = answer["goal_id"]
    again = await gateway.client.post("/api/v1/goals", json=body, headers={"Idempotency-Key": "once"})
    assert (again.json()["goal_id"], again.headers["idempotency-replayed"]) == (goal_id, "true")
    status, _ = await tell(gateway, f"goals/{goal_id}/pause", {"reason": f'{secret}, with, comma "and quotes"'})
    assert status == 202
    assert (await tell(gateway, f"goals/{goal_id}/cancel", {"reason": f"not {secret}"}))[0] == 202
    events = [recorded.event for recorded in await log.read(goal_id)]
    told = msgspec.json.encode(events)
    assert secret.encode() not in told
    assert b"with, comma" not in told
    assert told.count(b"[redacted]") == 4


async def test_a_secret_that_is_too_short_is_refused_and_not_repeated(gateway: Gateway) -> None:
    refused = await gateway.client.post("/api/v1/goals", json={"goal": "x", "secrets": ["hush"]})
    assert refused.status_code == 422
    assert "secrets[0]" in refused.text
    assert "hush" not in refused.text
