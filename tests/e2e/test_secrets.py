"""Secrets and exact bytes, seen from outside: what runs is what was said, and what is kept holds no secret.

The hub of this module knows secrets of every origin; its model says each in halves, lets a command print them
whole, and reports them. Its goal, plan, test command, question and answer hold what looks like a credential.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.gate import GateVerdict
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.task import TaskCompleted
from agenthub_events.secret_shapes import find_shapes
from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.scripted import Reply
from agenthub_worker.rehearsal.turns import ToolCall, Turn, call
from tests.support.held import logs, streams, tables
from tests.support.running_hub import Played, RunningHub, play, run_cli, running_hub
from tests.support.scripted_model import ScriptedModel, scripted_model
from tests.support.secret_samples import SECRETS

DSN = "postgresql://app:app@localhost/app"
GOAL = f"Read the address {DSN} from the environment"
REQUIREMENT = f"send Authorization: Bearer {SECRETS['github']}"
ANSWER = f"take {SECRETS['stripe']}"
TEST = f'import os\n\n\ndef test_dsn():\n    assert os.environ["DSN"] == "{DSN}"\n'
SUMMARY = f"It reads {DSN}, sends {SECRETS['aws key']}"

OF_THE_OPERATOR = "operators-own-secret-1"
OF_THE_MODEL = "key-of-the-local-model-1"
OF_THE_GATEWAY = "key-of-the-gateway-1"
OF_THE_TRACES = "key-of-the-collector-1"
OF_THE_GOAL = "declared-by-the-goal-1"

_hub: RunningHub | None = None


def known() -> list[str]:
    """Every secret that the hub is told, and those that it made itself."""
    assert _hub is not None
    own = _hub.data.secrets
    return [
        *(OF_THE_OPERATOR, OF_THE_MODEL, OF_THE_GATEWAY, OF_THE_TRACES, OF_THE_GOAL),
        *(own.nats_seeds["agenthub"], own.nats_seeds["worker-coding"], own.postgres_password),
    ]


def tell_all(_: Conversation) -> Turn:
    """Print every secret; the command holds none of them whole."""
    halves = [(secret[:9], secret[9:]) for secret in known()]
    return call("bash", command="; ".join(f"A={a!r}; B={b!r}; echo $A$B" for a, b in halves))


def report(_: Conversation) -> Turn:
    """Say every secret, and what looks like one."""
    return call("report_result", status="done", summary=SUMMARY, insights=known())


SCRIPT: dict[str, Sequence[Reply]] = {
    "t-dsn": [
        tell_all,
        call("str_replace_based_edit_tool", command="create", path="tests/test_dsn.py", file_text=TEST),
        Turn("", (ToolCall("record_knowledge", {"kind": "fact", "text": f"The address is {DSN}"}),)),
        call("ask_human", question=f"Is {DSN} right?", options=["yes"]),
        report,
    ],
    "t-more": [call("bash", command="true"), call("report_result", status="done", summary="More")],
}


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with scripted_model({GOAL: SCRIPT}) as model:
        yield model


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, model: ScriptedModel) -> Iterator[Played]:
    """The goal, asked about, answered, and at rest."""
    global _hub  # noqa: PLW0603  the script runs in the model's thread and is told of the hub once it is there
    env = {
        **model.environment,
        "ANTHROPIC_API_KEY": OF_THE_MODEL,
        "AGENTHUB_API_KEYS": f"ada:{OF_THE_GATEWAY}",
        "AGENTHUB_SECRETS": OF_THE_OPERATOR,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={OF_THE_TRACES}",
    }
    workers = "planner+architect+coding+testing+debug+security+review=1"
    with running_hub(tmp_path_factory.mktemp("secrets") / "data", "--workers", workers, env=env) as hub:
        _hub = hub
        hub.http.headers["Authorization"] = f"Bearer {OF_THE_GATEWAY}"
        more = {
            "key": "more",
            "title": "Go on",
            "details": f"with {DSN}",
            "agent": "coding",
            "depends_on": ["dsn"],
        }
        goal_id = hub.submit(
            {
                "goal": GOAL,
                "requirements": [REQUIREMENT, f"never say {OF_THE_GOAL} or {OF_THE_OPERATOR}"],
                "test_command": f"DSN={DSN} python -m pytest -q",
                "secrets": [OF_THE_GOAL],
                "workflow": [{"key": "dsn", "title": "Read it", "agent": "coding"}, more],
            }
        )
        play(hub, goal_id, "awaiting_human")
        (question,) = hub.questions(goal_id)
        answer = {"action": "answer", "text": f"{ANSWER}, not {OF_THE_GOAL}"}
        assert hub.answer(question["id"], **answer).status_code == 202
        yield play(hub, goal_id, "ready_for_review")


def test_the_model_gets_what_people_and_agents_said_byte_for_byte(played: Played, model: ScriptedModel) -> None:
    heard: dict[str, str] = {}
    for request in model.requests(played.goal_id):
        said = json.dumps(request.body["messages"], ensure_ascii=False)
        heard[request.conversation.task_id] = heard.get(request.conversation.task_id, "") + said
    for text in (GOAL, REQUIREMENT, ANSWER):
        assert text in heard["t-dsn"]
    for text in (f"with {DSN}", f"The address is {DSN}", SUMMARY):
        assert text in heard["t-more"], heard["t-more"]
    for secret in known():
        assert secret not in "".join(heard.values())


def test_the_command_of_the_tests_runs_as_it_was_given(played: Played) -> None:
    (tests,) = [event for event in played.of(GateVerdict) if event.gate == "tests"]
    assert tests.type == "gate.passed"
    assert tests.counts is not None
    assert tests.counts.passed == 1
    assert DSN not in tests.command


def test_the_file_is_delivered_as_it_was_written(played: Played, tmp_path: Path) -> None:
    env = {"AGENTHUB_URL": played.hub.url, "AGENTHUB_API_KEY": OF_THE_GATEWAY}
    pulled = run_cli("goal", "pull", played.goal_id, str(tmp_path / "result"), env=env)
    assert pulled.returncode == 0, pulled.stderr
    assert (tmp_path / "result" / "tests" / "test_dsn.py").read_text() == TEST


async def test_i9_no_secret_that_the_hub_knows_is_in_a_stream_a_table_a_log_or_an_export(played: Played) -> None:
    held = {
        **{name: text async for name, text in streams(played.hub) if not name.startswith("OBJ_")},
        **await tables(played.hub),
        **logs(played.hub),
        **exports(played),
    }
    assert {"EVENTS", "RUNS"} <= held.keys()
    found = {(name, secret) for name, text in held.items() for secret in known() if secret in text}
    assert found == set()
    (done,) = [event for event in played.of(TaskCompleted) if event.task_id == "t-dsn"]
    assert done.result.insights == ("[redacted]",) * len(known())


def test_i9_no_secret_that_the_hub_knows_is_in_the_goal_as_a_file(played: Played, tmp_path: Path) -> None:
    held = lines_of_file(played, tmp_path / "goal.agenthub.gz")
    assert any(DSN in text for text in held), "what was said exactly is needed to replay it"
    assert {secret for text in held for secret in known() if secret in text} == set()


async def test_i9_nothing_that_looks_like_a_secret_is_kept_for_ever_or_shown(played: Played) -> None:
    async for name, text in streams(played.hub):
        if name == "EVENTS":
            assert shapes_in(text) == []
    for text in [*(await tables(played.hub)).values(), *logs(played.hub).values(), *exports(played).values()]:
        assert shapes_in(text) == []
    (accepted,) = played.of(GoalAccepted)
    assert accepted.secrets_ref
    assert [event.question.partition("[")[0] for event in played.of(AgentBlocked)] == ["Is postgresql://"]


def shapes_in(text: str) -> list[str]:
    return [text[place.start : place.end] for place in find_shapes(text)]


def exports(played: Played) -> dict[str, str]:
    """What people are shown of the goal."""
    hub, base = played.hub, f"/goals/{played.goal_id}"
    paths = [
        base,
        f"{base}/events",
        f"{base}/tasks",
        f"{base}/interventions",
        f"{base}/gates",
        f"{base}/knowledge",
        "/goals",
    ]
    shown = {path: json.dumps(hub.get(path), ensure_ascii=False) for path in paths}
    env = {"AGENTHUB_URL": hub.url, "AGENTHUB_API_KEY": OF_THE_GATEWAY}
    for words in (("events", "show", played.goal_id), ("goal", "show", played.goal_id)):
        printed = run_cli(*words, env=env)
        assert printed.returncode == 0, printed.stderr
        shown[" ".join(words)] = printed.stdout + printed.stderr
    return shown


def lines_of_file(played: Played, file: Path) -> list[str]:
    """Every line of the goal as a file, and every object in it as it is."""
    env = {"AGENTHUB_API_KEY": OF_THE_GATEWAY, "AGENTHUB_DATA_DIR": str(played.hub.data.root)}
    done = run_cli("replay", "export", played.goal_id, "--to", str(file), env=env)
    assert done.returncode == 0, done.stderr
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    objects = [json.loads(line) for line in lines if json.loads(line)["line"] == "object"]
    assert objects
    return lines + [base64.b64decode(known["encoded"]).decode("utf-8", "replace") for known in objects]
