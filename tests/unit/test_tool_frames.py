"""Which tool an agent calls passes by as a frame: on one line, masked, and apart from output."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agenthub_events.redaction import NO_SECRETS, KnownSecrets
from agenthub_events.runs import Step, ToolIntent, ToolReceipt, encode_step
from agenthub_gateway.live.outputs import output_frame
from agenthub_gateway.live.tool_calls import GIVEN_MAX, tool_frame
from agenthub_runtime.jetstream.wire import RawMessage


def message(step: Step | None, kind: str, *, data: bytes = b"") -> RawMessage:
    body = encode_step(step) if step is not None else data
    return RawMessage(seq=7, subject=f"run.g-1.t-a.2.step.{kind}", data=body, headers={})


def intent(**arguments: Any) -> ToolIntent:
    return ToolIntent(turn=1, tool_use_id="c1", name="bash", input=arguments)


def shown(step: Step, kind: str, secrets: KnownSecrets = NO_SECRETS) -> dict[str, Any]:
    frame = tool_frame(message(step, kind), secrets)
    assert frame is not None
    assert (frame.name, frame.goal_id, frame.sequence) == ("run.tool", "g-1", None)
    body: dict[str, Any] = msgspec.json.decode(frame.data)
    return body


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ({"command": "pytest -q"}, "pytest -q"),
        ({"command": "create", "path": "a.py", "file_text": "x = 1\ny = 2\n"}, "create a.py"),
        ({"command": "cat <<E\nx\nE\n"}, "cat <<E …"),
        ({}, ""),
        ({"n": 5, "deep": {"a": [1]}}, "5 {'a': [1]}"),
        ({"command": "x" * 500}, "x" * (GIVEN_MAX - 1) + "…"),
    ],
)
def test_what_a_tool_was_given_stands_on_one_line(arguments: dict[str, Any], given: str) -> None:
    told = shown(intent(**arguments), "tool.intent")
    assert (told["tool"], told["state"], told["call"], told["attempt"]) == ("bash", "began", "c1", 2)
    assert told["given"] == given


def test_a_secret_is_masked_before_the_line_is_cut() -> None:
    secret = "s3cr3t-" + "z" * 40
    told = shown(intent(command="x" * (GIVEN_MAX - 20) + " " + secret), "tool.intent", KnownSecrets([secret]))
    assert "s3cr3t" not in told["given"]
    token = "ghp_" + "A1b2" * 9
    assert token not in shown(intent(command=f"curl -H {token}"), "tool.intent")["given"]


def test_the_end_of_a_call_says_whether_it_failed_and_nothing_of_what_came_back() -> None:
    receipt = ToolReceipt(turn=1, tool_use_id="c1", name="bash", text="secret words", is_error=True)
    told = shown(receipt, "tool.receipt")
    assert (told["state"], told["is_error"], told["call"]) == ("ended", True, "c1")
    assert "secret words" not in str(told)


def test_a_step_is_no_output_and_what_nobody_can_read_is_no_frame() -> None:
    assert output_frame(message(intent(), "tool.intent")) is None
    assert tool_frame(message(None, "tool.intent", data=b"{"), NO_SECRETS) is None
    assert tool_frame(message(intent(), "turn.reply"), NO_SECRETS) is None
    out = RawMessage(seq=1, subject="run.g-1.t-a.1.out.output", data=b"3 passed", headers={})
    assert tool_frame(out, NO_SECRETS) is None
    assert output_frame(out) is not None
