"""Child processes: they take their own children along, stop in time, and never start from the wrong thread."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
import uvloop
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agenthub_runtime.processes.child_process import Account, ChildProcess, spawn, tail_of, trim
from agenthub_runtime.telemetry.tracing import Telemetry
from tests.support.stopwatch import Stopwatch
from tests.support.until import until

ENV = {"ONE": "ü \udcff", "PATH": "/usr/bin:/bin"}
SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
PARENT = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {SLEEPER!r}])
print(child.pid, flush=True)
child.wait()
"""
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPER}"


def _spawn(tmp_path: Path, program: str) -> ChildProcess:
    return _spawn_as(Account(), tmp_path, sys.executable, "-c", program)


def _spawn_as(account: Account, tmp_path: Path, *argv: str) -> ChildProcess:
    return spawn(argv, env=ENV, log=tmp_path / "child.log", death_signal=signal.SIGKILL, account=account)


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
    with Stopwatch() as watch:
        assert await child.stop(signal.SIGTERM, within_s=0.2) == -signal.SIGKILL
    assert watch.seconds < 30
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


async def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=absent):
        _spawn_as(Account(), tmp_path, absent)


async def test_a_child_gets_the_environment_it_was_given_and_no_ignored_signals(tmp_path: Path) -> None:
    child = _spawn_as(Account(), tmp_path, "/bin/sh", "-c", "exec cat /proc/self/environ /proc/self/status")
    assert await child.wait() == 0
    environment, _, status = child.log.read_bytes().rpartition(b"\0")
    given = {os.fsencode(f"{name}={value}") for name, value in ENV.items()}
    assert {line for line in environment.split(b"\0") if not line.startswith((b"PWD=", b"_="))} == given
    ignored = int(status.partition(b"SigIgn:")[2].split()[0], 16)
    assert not ignored & (1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts children that look like another account")
async def test_a_process_that_traces_starts_children_in_namespaces_of_their_own(tmp_path: Path) -> None:
    # After a fork, the tracing library starts threads in the child; nothing with threads may enter a namespace.
    telemetry = Telemetry("test", processors=(BatchSpanProcessor(InMemorySpanExporter()),))
    try:
        child = _spawn_as(Account(seen_as=(65534, 65533)), tmp_path, "/bin/sh", "-c", "id -u; id -g")
        assert await child.wait() == 0
        assert child.log_tail().split() == ["65534", "65533"]
    finally:
        telemetry.shutdown()


async def test_a_large_log_is_put_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    child = _spawn(tmp_path, "print('x' * 200, flush=True); input(); print('y', flush=True)")
    await _up(child)
    trim(child.log, kept=100)
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
