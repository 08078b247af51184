"""What runs is what was said: bytes between a reply and its use are exact, over the wire and through a restart."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client

from agenthub_events.catalogue.agent import AgentBlocked
from agenthub_events.catalogue.goal import GoalAccepted
from agenthub_events.catalogue.task import TaskCompleted, TaskNoted
from agenthub_events.ports import Stored
from agenthub_events.redaction import NO_SECRETS, KnownSecrets, redact
from agenthub_events.runs import RunId, ToolIntent, ToolReceipt, TurnIntent, TurnReply, encode_step
from agenthub_runtime.clock import SystemIds
from agenthub_runtime.exact_texts import ExactTexts
from agenthub_runtime.repository.cache import open_kept
from agenthub_runtime.repository.goal import Link
from agenthub_worker.agent.model_calls import received
from agenthub_worker.domain.run import NOT_KEPT
from agenthub_worker.rehearsal.scripted import Reply, ScriptedReplies
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.turns import ToolCall, Turn, call
from tests.support.secret_samples import IN_CONTEXT, SECRETS
from tests.support.workbench import Desk, running_worker

DONE = call("report_result", status="done", summary="it is there")
DSN = 'DSN = "postgresql://app:app@localhost/app"\n'
BEARER = """\
from token_header import header


def test_the_header_is_the_token():
    assert header("0123456789abcdef-token") == {"Authorization": "Bearer 0123456789abcdef-token"}
"""
HEADER = 'def header(token):\n    return {"Authorization": f"Bearer {token}"}\n'
FAILING = """\
def test_a():
    print("hub-secret" + "-value", "goal-secret" + "-value", "Bearer " + "x" * 20)
    assert False
"""
EVERY = "\n".join([*SECRETS.values(), *(around.format(secret) for around, secret in IN_CONTEXT.values())]) + "\n"


def write(path: str, text: str) -> Turn:
    return call("str_replace_based_edit_tool", command="create", path=path, file_text=text)


def script(*replies: Reply) -> ScriptedModelServer:
    return ScriptedModelServer([ScriptedReplies({"*": list(replies)})])


async def delivered(desk: Desk, folder: Path, *names: str) -> list[bytes]:
    """The files on the goal's branch."""
    merges = await desk.merges()
    repository = await open_kept(folder / "read", desk.goal_id, desk.artifacts)
    await repository.materialise([Link(merge.bundle_ref, merge.head) for merge in merges])
    entries = {entry.path: entry for entry in await repository.files(merges[-1].head)}
    contents = await repository.contents([entries[name] for name in names])
    return [contents[name] for name in names]


def sent_back(model: ScriptedModelServer) -> list[Any]:
    """The replies of the model as the last request sends them back."""
    return [m["content"] for m in model.requests[-1].body["messages"] if m["role"] == "assistant"]


def everything_said(model: ScriptedModelServer) -> str:
    return json.dumps([request.body for request in model.requests], ensure_ascii=False)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("settings.py", DSN),
        ("fixtures.txt", EVERY),
        ("compose.yaml", "REDIS: redis://:s3cr3t@cache:6379/0\nAUTH: Basic YWRhOmh1bnRlcjIy\n"),
    ],
)
async def test_a_file_arrives_as_it_was_written_and_is_delivered(
    bus: Client, tmp_path: Path, name: str, text: str
) -> None:
    desk = Desk(bus)
    await desk.accept()
    view = call("str_replace_based_edit_tool", command="view", path=name)
    edit = call("str_replace_based_edit_tool", command="insert", path=name, insert_line=0, insert_text=f"# {text}")
    async with script(write(name, text), view, edit, DONE) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        ended = await desk.ended()
    assert isinstance(ended, TaskCompleted), ended
    assert await delivered(desk, tmp_path, name) == [f"# {text}{text}".encode()]
    shown = [r.step.text for r in await desk.steps() if isinstance(r.step, ToolReceipt)][1]
    assert all(line in shown for line in text.splitlines()), "the model reads what stands there"


async def test_a_correct_test_of_a_header_passes(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    replies = (write("token_header.py", HEADER), write("test_token_header.py", BEARER), call("run_tests"), DONE)
    async with script(*replies) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        ended = await desk.ended()
    assert isinstance(ended, TaskCompleted), ended
    assert ended.result.evidence is not None
    assert ended.result.evidence.counts is not None
    assert (ended.result.evidence.exit_code, ended.result.evidence.counts.passed) == (0, 1)
    assert await delivered(desk, tmp_path, "test_token_header.py") == [BEARER.encode()]


async def test_a_command_gets_the_arguments_that_were_said(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    said = "Authorization: Bearer 0123456789abcdef-token"
    command = f"printf %s '{said}' > header.txt; printf '\\0' >> header.txt; cat header.txt"
    async with script(call("bash", command=command), DONE) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        assert isinstance(await desk.ended(), TaskCompleted)
    assert await delivered(desk, tmp_path, "header.txt") == [said.encode() + b"\0"]


async def test_signed_thinking_and_every_other_block_go_back_as_they_came(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    thoughtful = Turn(
        f"I use {EVERY}end", (ToolCall("bash", {"command": f": '{DSN}'"}),), thinking=f"Hm: {EVERY}\0"
    )
    async with script(thoughtful, write("a.py", DSN), DONE) as model, running_worker(bus, model, tmp_path):
        await desk.order()
        assert isinstance(await desk.ended(), TaskCompleted)
        back = sent_back(model)
    recorded = [list(r.step.content) for r in await desk.steps() if isinstance(r.step, TurnReply)]
    assert back == recorded[:2]
    thinking, text, used = back[0]
    assert (thinking["type"], thinking["thinking"]) == ("thinking", f"Hm: {EVERY}\0")
    assert thinking["signature"].startswith("signed-")
    assert text["text"].endswith(f"I use {EVERY}end")
    assert used["input"] == {"command": f": '{DSN}'"}


async def test_whoever_takes_a_run_over_sends_and_runs_the_same_bytes(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    question = call("ask_human", question="Which?", options=["a"])
    async with script(write("a.py", DSN), question, DONE) as model:
        async with running_worker(bus, model, tmp_path / "1"):
            await desk.order()
            blocked = await desk.ended()
        assert isinstance(blocked, AgentBlocked)
        answered = {"tool_use_id": blocked.tool_use_id, "question": "Which?", "answer": "Bearer 0123456789abcdef0"}
        saved = {"attempt": 1, "commit": blocked.checkpoint, "bundle_ref": blocked.bundle_ref}
        async with running_worker(bus, model, tmp_path / "2", name="Worker-2"):
            texts = ExactTexts(desk.artifacts, SystemIds())
            told = await texts.set_aside(TaskNoted(task_id="t-add", by="", text=DSN), desk.goal_id, NO_SECRETS)
            changed = (f"somebody found {told.text}",)
            await desk.order(resumes=1, context={"answered": answered, "checkpoint": saved}, changed=changed)
            assert isinstance(await desk.ended(attempt=2), TaskCompleted)
        assert "Bearer 0123456789abcdef0" in everything_said(model)
        assert f"somebody found {json.dumps(DSN)[1:-1]}" in everything_said(model)
        assert sent_back(model)[0][-1]["input"]["file_text"] == DSN
    assert await delivered(desk, tmp_path, "a.py") == [DSN.encode()]


async def test_what_the_log_may_not_hold_reaches_the_model_as_people_and_agents_said_it(
    bus: Client, tmp_path: Path
) -> None:
    desk = Desk(bus)
    texts = ExactTexts(desk.artifacts, SystemIds())
    said = GoalAccepted(goal=f"Connect with {DSN}", requirements=(f"send Bearer {SECRETS['github']}",))
    stored = await texts.set_aside(said, desk.goal_id, NO_SECRETS)
    assert redact(stored) is stored
    assert stored != said
    await desk.accept()
    context = {"goal": stored.goal, "requirements": stored.requirements, "test_command": "python -m pytest -q"}
    note = await texts.set_aside(TaskNoted(task_id="t-add", by="ada", text=EVERY), desk.goal_id, NO_SECRETS)
    await desk.order(context=context)
    await desk.say(note, "note-1", "t-add")
    async with script(DONE) as model, running_worker(bus, model, tmp_path):
        assert isinstance(await desk.ended(), TaskCompleted)
        heard = everything_said(model)
    for text in (said.goal, *said.requirements, EVERY):
        assert json.dumps(text, ensure_ascii=False)[1:-1] in heard
    assert "[redacted" not in heard


async def test_a_secret_that_the_hub_or_the_goal_knows_is_masked_in_what_a_tool_shows_and_in_no_argument(
    bus: Client, tmp_path: Path
) -> None:
    desk = Desk(bus)
    texts = ExactTexts(desk.artifacts, SystemIds())
    await desk.accept(secrets_ref=await texts.keep_secrets(["goal-secret-value"], desk.goal_id))
    # Put together only where it is printed, as a program would read it from somewhere.
    show = "A=hub-secret; B=goal-secret; echo $A-value and $B-value | tee seen.txt"
    reading = call("str_replace_based_edit_tool", command="view", path="seen.txt")
    done = call("report_result", status="done", summary="it said hub-secret-value and goal-secret-value")
    replies = (call("bash", command=show), reading, write("test_a.py", FAILING), done)
    known = ["hub-secret-value"]
    async with script(*replies) as model, running_worker(bus, model, tmp_path, secrets=known):
        await desk.order()
        ended = await desk.ended()
        heard = everything_said(model)
    assert isinstance(ended, TaskCompleted), ended
    assert ended.result.summary == "it said [redacted] and [redacted]"
    assert ended.result.evidence is not None
    log = await desk.artifacts.get(ended.result.evidence.log_ref)
    assert b"[redacted] [redacted] Bearer xxxxxxxxxxxxxxxxxxxx" in log, (
        "a log shows what ran, without known secrets"
    )
    steps = await desk.steps()
    receipts = b"".join(encode_step(r.step) for r in steps if isinstance(r.step, ToolReceipt))
    events = b"".join(msgspec.json.encode(event) for event in await desk.events())
    for held in (log, receipts, events, heard.encode()):
        assert b"hub-secret-value" not in held
        assert b"goal-secret-value" not in held
    (intent,) = [r.step for r in steps if isinstance(r.step, ToolIntent) and r.step.name == "bash"]
    assert intent.input == {"command": show}
    assert await delivered(desk, tmp_path, "seen.txt") == [b"hub-secret-value and goal-secret-value\n"]


SPELLINGS = (
    "hub-secret-value",
    "say 'hush' \\ \"hush\" now",
    "zwölf\tgeheime Wörter ☂",
    "line-of-sixteen-a\nline-of-sixteen-b\n",
)


@pytest.mark.parametrize("secret", SPELLINGS)
async def test_an_argument_that_holds_a_known_secret_runs_as_it_was_said_and_is_recorded_with_a_mask(
    bus: Client, tmp_path: Path, secret: str
) -> None:
    desk = Desk(bus)
    await desk.accept()
    shell = f"printf %s {shlex.quote(secret)} > told.txt; cat told.txt"
    knowledge = Turn("", (ToolCall("record_knowledge", {"kind": "fact", "text": f"it is {secret}"}),))
    replies = (write("written.txt", f"<{secret}>"), call("bash", command=shell), knowledge, DONE)
    async with script(*replies) as model, running_worker(bus, model, tmp_path, secrets=[secret]):
        await desk.order()
        ended = await desk.ended()
        heard = everything_said(model)
    assert isinstance(ended, TaskCompleted), ended
    assert await delivered(desk, tmp_path, "written.txt", "told.txt") == [f"<{secret}>".encode(), secret.encode()]
    steps = [r.step for r in await desk.steps()]
    recorded = b"".join(encode_step(step) for step in steps).decode()
    events = b"".join(msgspec.json.encode(event) for event in await desk.events()).decode()
    for held in (recorded, events, heard):
        for form in {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}:
            assert form not in held
    assert [len(step.masked) for step in steps if isinstance(step, TurnReply)] == [1, 1, 1, 0]
    (first, *_) = [step for step in steps if isinstance(step, ToolIntent)]
    assert first.input["file_text"] == "<[redacted]>"


async def test_whoever_takes_a_run_over_runs_no_mask_in_the_place_of_a_secret(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    attempt = await desk.order()
    run = RunId(desk.goal_id, "t-add", attempt)
    asked = TurnIntent(turn=1, tries=1, request_hash="h", model="m")
    used = {"type": "tool_use", "id": "u1", "name": "bash", "input": {"command": "echo [redacted] > a.txt"}}
    said = TurnReply(
        turn=1, tries=1, request_hash="h", model="m", provider="p", stop_reason="tool_use", content=(used,),
        masked=("u1",),
    )  # fmt: skip
    last = 0
    for step in (asked, said):
        stored = await desk.runs.append(run, step, expected=last)
        assert isinstance(stored, Stored)
        last = stored.seq
    again = write("a.txt", "hub-secret-value")
    async with (
        script(DONE, again, DONE) as model,
        running_worker(bus, model, tmp_path, secrets=["hub-secret-value"]),
    ):
        ended = await desk.ended()
    assert isinstance(ended, TaskCompleted), ended
    refused, *_ = [r.step for r in await desk.steps() if isinstance(r.step, ToolReceipt)]
    assert (refused.tool_use_id, refused.text, refused.is_error) == ("u1", NOT_KEPT, True)
    assert await delivered(desk, tmp_path, "a.txt") == [b"hub-secret-value"]


async def test_a_name_that_holds_a_secret_is_masked_in_what_is_said_of_saving_it(
    bus: Client, tmp_path: Path
) -> None:
    desk = Desk(bus)
    await desk.accept()
    leave = call("bash", command="ln -s /etc/passwd hub-secret-value; mkfifo pipe-hub-secret-value")
    kept = call("bash", command="touch kept-hub-secret-value")
    read = call("git_diff")
    async with (
        script(leave, kept, read, DONE) as model,
        running_worker(bus, model, tmp_path, secrets=["hub-secret-value"]),
    ):
        await desk.order()
        assert isinstance(await desk.ended(), TaskCompleted)
        heard = everything_said(model)
    recorded = b"".join(encode_step(r.step) for r in await desk.steps()).decode()
    events = b"".join(msgspec.json.encode(event) for event in await desk.events()).decode()
    assert "pipe-[redacted]" in recorded
    shown = [span.path for r in await desk.steps() if isinstance(r.step, ToolReceipt) for span in r.step.shown]
    assert shown == ["kept-[redacted]"]
    for held in (recorded, events, heard):
        assert "hub-secret-value" not in held


def test_a_known_secret_in_a_reply_is_masked_where_it_is_recorded_and_sent_back() -> None:
    known = KnownSecrets(["hub-secret-value"])
    said: list[dict[str, Any]] = [
        {"type": "thinking", "thinking": "hub-secret-value", "signature": "s"},
        {"type": "text", "text": f"it is hub-secret-value, not {DSN}"},
        {"type": "tool_use", "id": "u", "name": "bash", "input": {"command": ["echo hub-secret-value"]}},
        {"type": "tool_use", "id": "v", "name": "bash", "input": {"command": DSN}},
    ]
    reply = TurnReply(
        turn=1, tries=1, request_hash="", model="m", provider="p", stop_reason="tool_use", content=tuple(said)
    )
    recorded, heard = received(reply, known)
    signed, text, used, other = recorded.content
    assert signed is said[0], "what is signed stays"
    assert text["text"] == f"it is [redacted], not {DSN}"
    assert used["input"] == {"command": ["echo [redacted]"]}
    assert other == said[3]
    assert recorded.masked == ("u",)
    assert heard == {"u": {"command": ["echo hub-secret-value"]}}
    assert received(reply, NO_SECRETS) == (reply, {})
