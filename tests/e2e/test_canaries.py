"""Secrets without a known shape, planted everywhere: in no record of the hub, and whole in what agents wrote.

The hub's own settings, its operator and the goal declare them. Agents write them to files, print them, put them
into arguments, knowledge, questions and reports; people put them into words, answers and searches.
"""

from __future__ import annotations

import asyncio
import gzip
import html
import json
import shlex
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.gate import GateVerdict
from agenthub_events.secret_shapes import find_shapes
from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.scripted import Reply
from agenthub_worker.rehearsal.turns import ToolCall, Turn, call
from tests.support.held import found_in, logs, streams, tables
from tests.support.otlp import Traces, receiving_traces
from tests.support.receivers import Mailbox, mail_server_beside
from tests.support.running_hub import Played, RunningHub, living, play, run_cli, running_hub
from tests.support.scripted_model import scripted_model
from tests.support.until import until

# What the hub is given to work with.
SETTINGS = {
    "model": "Weidenkätzchen-7".encode().hex(),
    "gateway": "harvest moon over 7 fens",
    "collector": "tin-whistle.and.fiddle",
    "mail": "p4rcels & paperclips",
    "links": "a-link-is-as-long-as-it-takes-3",
}
OPERATOR = (
    "plain-as-a-pikestaff-9",
    "comma, then a blank",
    "it's 'quoted' and \"doubled\" 5",
    "back\\slash\\t and a %41 percent",
    "zwölf Boxkämpfer ☂ 12",
    "the-first-line-of-two-1\nthe-second-line-of-two-2",
    "4929174630018832",
)
GOAL = ("the cat's own pyjamas 8", "<b>markup & tags</b> 4", "{'a': [\"dict\", 1]}", "ends-with-a-colon-6:")
NAME = OPERATOR[0]

WORDS = "Keep it quiet"
KEY = {"AGENTHUB_API_KEY": SETTINGS["gateway"]}
TEST = """\
from pathlib import Path


def test_all_are_there():
    for place in sorted(Path("canaries").iterdir()):
        print(place.read_text())
"""

_hub: RunningHub | None = None


def canaries() -> list[str]:
    """All of them, and what the hub has made for itself and has no known shape."""
    assert _hub is not None
    own = _hub.data.secrets
    return [*SETTINGS.values(), *OPERATOR, *GOAL, own.postgres_password, own.reader_password, own.link_key]


def secrets() -> list[str]:
    """What may be nowhere: the canaries, and the keys of the bus."""
    assert _hub is not None
    return [*canaries(), *_hub.data.secrets.all()]


def create(path: str, text: str) -> ToolCall:
    return ToolCall("str_replace_based_edit_tool", {"command": "create", "path": path, "file_text": text})


def in_files(_: Conversation) -> Turn:
    said = "I write " + " | ".join(canaries())
    return Turn(said, tuple(create(f"canaries/{n}.txt", secret) for n, secret in enumerate(canaries())))


def in_arguments(_: Conversation) -> Turn:
    told = [f"printf %s {shlex.quote(secret)} | tee arguments/{n}.txt" for n, secret in enumerate(canaries())]
    return call("bash", command="; ".join(["mkdir arguments", *told, "cat canaries/* >&2", f"touch {NAME}"]))


def elsewhere(_: Conversation) -> Turn:
    changed = {
        "command": "str_replace",
        "path": "canaries/0.txt",
        "old_str": canaries()[0],
        "new_str": OPERATOR[4],
    }
    back = {"command": "str_replace", "path": "canaries/0.txt", "old_str": OPERATOR[4], "new_str": canaries()[0]}
    calls = [ToolCall("str_replace_based_edit_tool", given) for given in (changed, back)]
    calls += [ToolCall("grep", {"pattern": GOAL[0]}), ToolCall("glob", {"pattern": f"{NAME}*"})]
    calls += [ToolCall("str_replace_based_edit_tool", {"command": "view", "path": NAME})]
    calls += [ToolCall("bash", {"command": "cat " + " ".join(map(shlex.quote, canaries()))})]
    calls += [ToolCall("record_knowledge", {"kind": "fact", "text": f"It is {secret}"}) for secret in canaries()]
    return Turn("And elsewhere", tuple(calls))


def ask(_: Conversation) -> Turn:
    asked = " or ".join(canaries())
    return call("ask_human", question=f"Is it {asked}?", options=[f"yes, {OPERATOR[1]}", "no"], evidence=asked)


def report(_: Conversation) -> Turn:
    said = " and ".join(canaries())
    return call("report_result", status="done", summary=said, tests_run=OPERATOR[2], insights=canaries())


SCRIPT: dict[str, Sequence[Reply]] = {
    "t-write": [in_files, in_arguments, elsewhere, Turn("", (create("tests/test_all.py", TEST),)), ask, report],
    "t-more": [call("bash", command="cat canaries/*; git log -p | head -c 20000"), report],
}


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with mail_server_beside(login=("hub", SETTINGS["mail"])) as box:
        yield box


@pytest.fixture(scope="module")
def traces() -> Iterator[Traces]:
    with receiving_traces() as received:
        yield received


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory, mailbox: Mailbox, traces: Traces) -> Iterator[Played]:
    """The goal, asked about, answered, offered, and asked to be changed."""
    global _hub  # noqa: PLW0603  the script runs in the model's thread and is told of the hub once it is there
    with scripted_model({WORDS: SCRIPT}) as model:
        env = {
            **model.environment,
            "ANTHROPIC_API_KEY": SETTINGS["model"],
            "AGENTHUB_API_KEYS": f"ada:{SETTINGS['gateway']}",
            "AGENTHUB_SECRETS": json.dumps(OPERATOR),
            "AGENTHUB_LINK_KEY": SETTINGS["links"],
            "AGENTHUB_NOTIFY": "ann@example.org",
            "AGENTHUB_SMTP_URL": f"smtp://hub:p4rcels%20%26%20paperclips@127.0.0.1:{mailbox.port}?starttls=never",
            "OTEL_EXPORTER_OTLP_ENDPOINT": traces.url,
            "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={SETTINGS['collector']}",
        }
        workers = "planner+architect+coding+testing+debug+security+review=1"
        with running_hub(tmp_path_factory.mktemp("canaries") / "data", "--workers", workers, env=env) as hub:
            _hub = hub
            hub.http.headers["Authorization"] = f"Bearer {SETTINGS['gateway']}"
            goal_id = hub.submit(submission())
            play(hub, goal_id, "awaiting_human")
            (question,) = hub.questions(goal_id)
            beside(until(lambda: mailbox.mails, 300, what="the question is told"))
            told = {"action": "answer", "text": f"Neither {GOAL[1]} nor {OPERATOR[5]}"}
            assert hub.answer(question["id"], **told).status_code == 202
            for secret in canaries():
                hub.http.get("/api/v1/goals", params={"q": secret})
                hub.http.get(f"/api/v1/goals/{goal_id}/tasks/{NAME}")
            yield play(hub, goal_id, "ready_for_review")


def beside(waiting: Coroutine[Any, Any, object]) -> None:
    """For a fixture, which has no event loop: not asyncio.run, which would take away that of the test runner."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(waiting)
    finally:
        loop.close()


def submission() -> Mapping[str, Any]:
    more = {"key": "more", "title": f"Go on with {GOAL[2]}", "agent": "coding", "depends_on": ["write"]}
    return {
        "goal": WORDS,
        "requirements": [f"Say {secret} to nobody" for secret in (*GOAL, *OPERATOR)],
        "test_command": f"X={shlex.quote(GOAL[0])} python -m pytest -q -s",
        "secrets": GOAL,
        "workflow": [{"key": "write", "title": "Write", "details": OPERATOR[4], "agent": "coding"}, more],
    }


def test_no_canary_has_a_known_shape() -> None:
    planted = [*SETTINGS.values(), *OPERATOR, *GOAL]
    assert len(planted) >= 12
    assert [text for text in planted if any(find_shapes(text))] == []


async def test_i9_no_canary_is_in_a_stream_or_an_object_but_what_the_goal_declared(played: Played) -> None:
    held = {name: text async for name, text in streams(played.hub)}
    assert {"EVENTS", "RUNS", "OBJ_ARTIFACTS"} <= held.keys()
    for name, text in list(held.items()):
        lines = [line for line in text.split("\n") if '"type":"secrets"' not in line]
        assert len(lines) >= text.count("\n") + 1 - (name == "OBJ_ARTIFACTS")
        held[name] = "\n".join(lines)
    assert found_in(held, secrets()) == set()


async def test_i9_no_canary_is_in_a_table_a_log_a_trace_or_a_command_line(played: Played, traces: Traces) -> None:
    await until(lambda: traces.of_goal(played.goal_id), 300, what="traces come")
    held = {
        **await tables(played.hub),
        **logs(played.hub),
        "traces": "\n".join(body.decode("utf-8", "replace") for body in traces.bodies),
        "command lines": "\n".join(living(played.hub.data.root)),
    }
    assert found_in(held, secrets()) == set()


async def test_i9_no_canary_is_in_a_notification(played: Played, mailbox: Mailbox) -> None:
    await until(lambda: len(mailbox.mails) >= 2, 300, what="the question and the result are told")
    told = {str(mail["Subject"]): "\n".join([str(mail), *texts_of(mail)]) for mail in mailbox.mails}
    assert any("[redacted]" in text for text in told.values())
    assert found_in(told, secrets()) == set()


def texts_of(mail: EmailMessage) -> Iterator[str]:
    """Its parts as people read them."""
    for part in mail.walk():
        if part.get_content_maintype() == "text":
            yield html.unescape(str(part.get_content()))


READS = (
    *(
        "",
        "/events?limit=500",
        "/tasks",
        "/tasks/t-write",
        "/graph",
        "/gates",
        "/usage",
        "/knowledge",
        "/timeline",
    ),
    *("/interventions", "/attempts", "/notifications", "/replay", "/replay/run", "/replay/why?of=t-write"),
    *("/tasks/t-write/attempts/1/transcript", "/tasks/t-write/attempts/2/transcript"),
    *("/tasks/t-write/attempts/1/output", "/tasks/t-more/attempts/1/output", "/gates/tests/1/log"),
)
HUB_READS = (
    *("/api/v1/goals", "/api/v1/interventions?state=all", "/api/v1/recipients", "/api/v1/workers"),
    *("/api/v1/model", "/api/v1/analytics", "/api/v1/queues", "/metrics", "/health/ready"),
)


def test_i9_no_canary_is_in_an_answer_of_the_api(played: Played) -> None:
    paths = [*(f"/api/v1/goals/{played.goal_id}{path}" for path in READS), *HUB_READS]
    answers = {path: played.hub.http.get(path) for path in paths}
    assert {path: answer.status_code for path, answer in answers.items() if answer.status_code != 200} == {}
    shown = {path: f"{answer.headers}\n{answer.text}" for path, answer in answers.items()}
    assert "[redacted]" in shown[f"/api/v1/goals/{played.goal_id}/tasks/t-write/attempts/1/transcript"]
    assert "[redacted]" in shown[f"/api/v1/goals/{played.goal_id}/gates/tests/1/log"]
    assert found_in(shown, secrets()) == set()


def test_i9_no_canary_is_in_what_the_command_line_prints_or_exports(played: Played, tmp_path: Path) -> None:
    env = {"AGENTHUB_URL": played.hub.url, "AGENTHUB_DATA_DIR": str(played.hub.data.root), **KEY}
    exported = tmp_path / "goal.gz"
    shown = {}
    for words in (
        ("replay", "export", played.goal_id, "--to", str(exported)),
        ("replay", "show", str(exported), "--json"),
        ("replay", "run", str(exported)),
        ("events", "show", played.goal_id, "--json"),
        ("goal", "show", played.goal_id),
        ("goal", "log", played.goal_id),
        ("notify", "list", played.goal_id),
        ("status",),
        ("logs",),
    ):
        printed = run_cli(*words, env=env)
        assert printed.returncode == 0, (words, printed.stdout + printed.stderr)
        shown[" ".join(words)] = printed.stdout + printed.stderr
    shown["the export"] = gzip.decompress(exported.read_bytes()).decode("utf-8", "replace")
    assert found_in(shown, secrets()) == set()


def test_every_canary_is_byte_for_byte_in_the_files_that_agents_wrote(played: Played, tmp_path: Path) -> None:
    result = tmp_path / "result"
    pulled = run_cli("goal", "pull", played.goal_id, str(result), env={"AGENTHUB_URL": played.hub.url, **KEY})
    assert pulled.returncode == 0, pulled.stderr
    for folder in ("canaries", "arguments"):
        wrote = [(result / folder / f"{n}.txt").read_bytes() for n in range(len(canaries()))]
        assert wrote == [secret.encode() for secret in canaries()]
        one = played.hub.http.get(f"/api/v1/goals/{played.goal_id}/files/{folder}/6.txt")
        assert one.content == canaries()[6].encode()
    assert (result / NAME).is_file()


def test_the_goal_was_played_to_its_end_with_masks_where_it_is_shown(played: Played) -> None:
    (tests,) = [event for event in played.of(GateVerdict) if event.gate == "tests"]
    assert tests.type == "gate.passed"
    assert GOAL[0] not in tests.command
    (asked,) = played.of(AgentBlocked)
    assert asked.question.count("[redacted]") == len(canaries())
