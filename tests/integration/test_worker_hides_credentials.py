"""What looks like a credential enters neither a recorded run, nor its passing output, nor the log of tests."""

from __future__ import annotations

from pathlib import Path

from nats.aio.client import Client
from nats.aio.msg import Msg

from agenthub_events.catalogue.task import TaskCompleted
from agenthub_events.redaction import MASK
from agenthub_events.runs import encode_step
from agenthub_worker.rehearsal.scripted import ScriptedReplies
from agenthub_worker.rehearsal.server import ScriptedModelServer
from agenthub_worker.rehearsal.turns import call
from tests.support.until import until
from tests.support.workbench import Desk, running_worker

# Put together only where it is printed, as a program would read it from somewhere.
START, REST = "ghp_", "abcdefghij0123456789KLMNOP"
TEST = f'def test_says():\n    print("{START}" + "{REST}")\n    assert False\n'


async def test_i9_a_credential_that_a_command_prints_is_nowhere(bus: Client, tmp_path: Path) -> None:
    desk = Desk(bus)
    await desk.accept()
    out: list[bytes] = []

    async def passing(message: Msg) -> None:
        out.append(message.data)

    await bus.subscribe(f"run.{desk.goal_id}.t-add.1.out.>", cb=passing)
    speak = call("bash", command=f"printf 'now {START}'; sleep 0.3; printf '{REST} was\\n'; echo the end")
    write = call("str_replace_based_edit_tool", command="create", path="test_a.py", file_text=TEST)
    done = call("report_result", status="done", summary="said it")
    model = ScriptedModelServer([ScriptedReplies({"*": [speak, write, done]})])
    async with model, running_worker(bus, model, tmp_path):
        await desk.order()
        ended = await desk.ended()
        await until(lambda: b"the" in b"".join(out), 5, "the output of the command")
    assert isinstance(ended, TaskCompleted), ended
    assert ended.result.evidence is not None
    log = await desk.artifacts.get(ended.result.evidence.log_ref)
    assert MASK.encode() in log
    steps = b"".join(encode_step(recorded.step) for recorded in await desk.steps())
    said = b"".join(out)
    assert MASK.encode() in said
    for held in (log, said, steps):
        assert (START + REST).encode() not in held
