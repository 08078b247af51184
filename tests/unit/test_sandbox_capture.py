"""Bounded capture of output, and the scripted sandbox."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agenthub_worker.sandbox.bubblewrap import limited
from agenthub_worker.sandbox.capture import HeadTail
from agenthub_worker.sandbox.port import ExecResult, ResourceLimits
from agenthub_worker.sandbox.scripted import ScriptedSandbox


@given(st.lists(st.binary(max_size=40)), st.integers(min_value=2, max_value=60))
def test_capture_keeps_head_and_tail_and_counts_what_it_cut(pieces: list[bytes], limit: int) -> None:
    sink = HeadTail(limit)
    for piece in pieces:
        sink.write(piece)
    whole = b"".join(pieces)
    half = limit // 2
    assert sink.total == len(whole)
    assert sink.truncated == (len(whole) > 2 * half)
    if not sink.truncated:
        assert sink.value() == whole
    else:
        cut = len(whole) - 2 * half
        assert sink.value() == whole[:half] + b"\n[... %d bytes cut ...]\n" % cut + whole[-half:]


def test_capture_of_a_flood_stays_small_in_memory() -> None:
    sink = HeadTail(1000)
    for _ in range(10_000):
        sink.write(b"x" * 5000)
    assert len(sink._head) + len(sink._tail) <= 3000
    assert sink.total == 50_000_000


def test_a_text_goes_to_bash_and_a_list_is_run_as_it_is() -> None:
    assert limited("echo $HOME", ResourceLimits())[-3:] == ["/bin/bash", "-c", "echo $HOME"]
    assert limited(["printf", "a b"], ResourceLimits())[-2:] == ["printf", "a b"]


async def test_the_scripted_sandbox_answers_and_remembers(tmp_path: Path) -> None:
    sandbox = ScriptedSandbox(lambda call: ExecResult(exit_code=3, output=str(call.command).encode()))
    seen: list[bytes] = []
    result = await sandbox.run("make", workspace=tmp_path, timeout_s=1, on_output=seen.append)
    assert (result.exit_code, result.text, seen) == (3, "make", [b"make"])
    assert sandbox.calls[0].workspace == tmp_path
