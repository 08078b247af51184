"""Child processes: they take their own children along, stop in time, and never start from the wrong thread."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from pathlib import Path

import pytest
import uvloop

from agenthub_runtime.embedded import processes
from agenthub_runtime.embedded.processes import ChildProcess, spawn, tail_of
from tests.support.until import until

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {SLEEPER!r}])
print(child.pid, flush=True)
child.wait()
"""
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"


def _spawn(tmp_path: Path, program: str) -> ChildProcess:
    return spawn(
        [sys.executable, "-c", program],
        env={},
        log=tmp_path / "child.log",
        death_signal=signal.SIGKILL,
    )


async def _up(child: ChildProcess) -> str:
    return await until(child.log_tail, what="the child has said something")


async def test_what_a_killed_child_has_started_dies_with_it(tmp_path: Path) -> None:
    child = _spawn(tmp_path, PARENT)
    grandchild = int((await _up(child)).split()[0])
    child.send(signal.SIGKILL)
    assert await child.wait() == -signal.SIGKILL
    await until(lambda: not _lives(grandchild), what="the grandchild is gone")


async def test_a_child_that_does_not_stop_in_time_is_killed(tmp_path: Path) -> None:
    child = _spawn(tmp_path, STUBBORN)
    await _up(child)
    started = time.monotonic()
    assert await child.stop(signal.SIGTERM, within_s=0.2) == -signal.SIGKILL
    assert time.monotonic() - started < 5
    assert not child.running
    assert await child.stop(signal.SIGTERM, within_s=0.2) == -signal.SIGKILL


async def test_many_may_wait_for_one_child(tmp_path: Path) -> None:
    child = _spawn(tmp_path, "import sys; sys.exit(3)")
    assert set(await asyncio.gather(child.wait(), child.wait(), child.wait())) == {3}


def test_a_child_can_be_waited_for_from_any_event_loop(tmp_path: Path) -> None:
    child = _spawn(tmp_path, SLEEPER)
    with asyncio.Runner() as runner, pytest.raises(TimeoutError):
        runner.run(asyncio.wait_for(child.wait(), 0.05))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(child.stop(signal.SIGTERM, within_s=5)) == -signal.SIGTERM


def test_a_thread_may_not_start_children(tmp_path: Path) -> None:
    refusals: list[str] = []

    def attempt() -> None:
        try:
            _spawn(tmp_path, SLEEPER)
        except RuntimeError as error:
            refusals.append(str(error))

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    assert "main thread" in refusals[0]


async def test_a_large_log_is_put_aside_while_its_writer_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "LOG_KEPT", 100)
    child = _spawn(tmp_path, "print('x' * 200, flush=True); input(); print('y', flush=True)")
    await _up(child)
    processes.trim(child.log)
    assert "x" * 200 in tail_of(child.log.with_name("child.log.1"))
    assert "x" not in child.log.read_text().partition("Traceback")[0]
    await child.wait()


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
    except ProcessLookupError:
        return False
