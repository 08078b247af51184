"""What every sandbox that runs real processes promises."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from agenthub_worker.errors import SandboxUnavailable
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.sandbox.port import Bind, ResourceLimits, Sandbox
from agenthub_worker.sandbox.unsandboxed import Unsandboxed
from tests.support.until import until

LIMITS = ResourceLimits(output_kept=20_000, output_flood=120 << 20)


@pytest.fixture(params=["bwrap", "none"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return Bubblewrap(LIMITS) if request.param == "bwrap" else Unsandboxed(LIMITS, allowed=True)


async def test_output_exit_code_and_working_folder(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    result = await sandbox.run(
        "cat a.txt; echo err >&2; echo made >b.txt; exit 7", workspace=tmp_path, timeout_s=300
    )
    assert (result.exit_code, result.text) == (7, "helloerr\n")
    assert (tmp_path / "b.txt").read_text() == "made\n"
    assert not result.timed_out
    assert not result.truncated


async def test_a_signal_shows_as_128_plus_its_number(sandbox: Sandbox, tmp_path: Path) -> None:
    assert (await sandbox.run("kill -9 $$", workspace=tmp_path, timeout_s=300)).exit_code == 137


async def test_the_workers_environment_is_not_inherited(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_SECRET", "do-not-leak")
    result = await sandbox.run(
        "env; cat /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c '^CANARY' || true"
        if sandbox.name == "bwrap"
        else "env",
        workspace=tmp_path,
        timeout_s=300,
        env={"GIVEN": "yes"},
    )
    assert "GIVEN=yes" in result.text
    assert "do-not-leak" not in result.text
    assert "CANARY" not in result.text


async def test_python_and_pytest_are_those_of_the_worker(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text("def test_a():\n    assert 1 + 1 == 2\n")
    result = await sandbox.run(["python", "-m", "pytest", "-q"], workspace=tmp_path, timeout_s=300)
    assert result.exit_code == 0, result.text
    assert "1 passed" in result.text


async def test_a_command_that_reads_stdin_ends_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    assert (await sandbox.run("cat; read x; echo $?", workspace=tmp_path, timeout_s=300)).text == "1\n"


async def test_at_its_limit_the_whole_group_is_killed(sandbox: Sandbox, tmp_path: Path) -> None:
    result = await sandbox.run("trap '' TERM; sleep 97531 & sleep 97531", workspace=tmp_path, timeout_s=0.5)
    assert result.timed_out
    assert result.exit_code == 137
    assert result.duration_s < 30
    await until(lambda: not processes_with("97531"), what="the group to be dead")


async def test_a_child_left_behind_neither_delays_the_result_nor_survives(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    result = await sandbox.run("sleep 86429 & echo started", workspace=tmp_path, timeout_s=300)
    assert result.text == "started\n"
    assert result.duration_s < 60
    await until(lambda: not processes_with("86429"), what="the child to be dead")


async def test_cancelling_kills_the_group(sandbox: Sandbox, tmp_path: Path) -> None:
    started = asyncio.Event()
    run = asyncio.create_task(
        sandbox.run("echo go; sleep 75318", workspace=tmp_path, timeout_s=300, on_output=lambda _: started.set())
    )
    await asyncio.wait_for(started.wait(), 120)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    await until(lambda: not processes_with("75318"), what="the group to be dead")


async def test_fifty_megabytes_of_output_are_read_but_not_kept(sandbox: Sandbox, tmp_path: Path) -> None:
    pieces: list[int] = []
    result = await sandbox.run(
        "echo first; head -c 50000000 /dev/zero | tr '\\0' x; echo; echo last",
        workspace=tmp_path,
        timeout_s=300,
        on_output=lambda data: pieces.append(len(data)),
    )
    assert result.exit_code == 0
    assert result.truncated
    assert result.text.startswith("first\n")
    assert result.text.endswith("\nlast\n")
    assert len(result.output) < 20_100
    assert sum(pieces) == 50_000_012
    assert f"[... {50_000_012 - 20_000} bytes cut ...]" in result.text


async def test_endless_output_is_stopped(sandbox: Sandbox, tmp_path: Path) -> None:
    result = await sandbox.run("yes", workspace=tmp_path, timeout_s=300)
    assert result.flooded
    assert not result.timed_out
    assert result.exit_code == 137


async def test_memory_and_file_size_are_limited(sandbox: Sandbox, tmp_path: Path) -> None:
    result = await sandbox.run(["python", "-c", "bytearray(3 << 30)"], workspace=tmp_path, timeout_s=300)
    assert "MemoryError" in result.text
    result = await sandbox.run("head -c 300M /dev/zero >big; echo $?", workspace=tmp_path, timeout_s=300)
    assert (tmp_path / "big").stat().st_size == LIMITS.file_size


async def test_a_bound_folder_has_the_same_path_inside(sandbox: Sandbox, tmp_path: Path) -> None:
    workspace, other = tmp_path / "w", tmp_path / "o"
    workspace.mkdir()
    other.mkdir()
    result = await sandbox.run(
        f"echo report >{other}/r.txt", workspace=workspace, timeout_s=300, binds=[Bind(other, writable=True)]
    )
    assert result.exit_code == 0, result.text
    assert (other / "r.txt").read_text() == "report\n"


def test_running_without_a_sandbox_must_be_allowed_by_name() -> None:
    with pytest.raises(SandboxUnavailable, match="AGENTHUB_ALLOW_UNSANDBOXED"):
        Unsandboxed(allowed=False)


def processes_with(marker: str) -> list[int]:
    """Pids whose command line holds `marker` as an argument."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            words = Path("/proc", name, "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if marker.encode() in words:
            found.append(int(name))
    return found


@pytest.mark.parametrize("word", ["echo a\0b", "echo \ud800"], ids=["null", "surrogate"])
async def test_a_command_that_no_program_can_be_given_is_told_and_not_run(
    sandbox: Sandbox, tmp_path: Path, word: str
) -> None:
    ran = await sandbox.run(word, workspace=tmp_path, timeout_s=300)
    assert ran.exit_code == 126
    assert "cannot hold a null character" in ran.text
