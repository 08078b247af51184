"""A sandbox that lasts has the walls of one that does not, and nothing in it gets in the way of the hub."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.sandbox.host.account import outside_account
from agenthub_worker.sandbox.port import ExecResult, ResourceLimits, Shell
from agenthub_worker.sandbox.probe import probe
from tests.contract.test_sandbox_contract import processes_with
from tests.support.until import until

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only a hub of root's has rights to take away")
Open = Callable[..., Shell]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    shells: list[Shell] = []

    def begin(limits: ResourceLimits | None = None, **how: Any) -> Shell:
        workspace = tmp_path / "w"
        workspace.mkdir(exist_ok=True)
        shells.append(Bubblewrap(limits).shell(workspace=workspace, **how))
        return shells[-1]

    yield begin
    for shell in shells:
        await shell.close()


class ByShell(Bubblewrap):
    """Runs every command as the second one of a shell."""

    async def run(self, command: Any, **how: Any) -> ExecResult:
        timeout_s = how.pop("timeout_s")
        shell = self.shell(**how)
        try:
            await shell.run("true", timeout_s=timeout_s)
            return await shell.run(command, timeout_s=timeout_s)
        finally:
            await shell.close()


async def test_every_wall_of_the_probe_holds_for_a_later_command_of_a_shell() -> None:
    checks = {check.name: check.holds for check in await probe(ByShell())}
    # Whether a control group is given is the machine's affair.
    assert [name for name, holds in checks.items() if not holds and "cgroup" not in name] == []


async def test_the_first_process_cannot_be_ended_or_steered_from_inside(opened: Open) -> None:
    shell = opened()
    steer = "import ctypes; print(ctypes.CDLL(None).ptrace(16, 1, 0, 0))"
    ran = await shell.run(f"kill -9 1; kill -INT 1; kill -TERM 1; python -c '{steer}'; echo alive", timeout_s=300)
    assert ran.text.split() == ["-1", "alive"]
    assert (await shell.run("echo again", timeout_s=300)).text == "again\n"


async def test_a_read_only_shell_writes_to_its_own_temporary_files_alone(opened: Open, tmp_path: Path) -> None:
    shell = opened(writable=False)
    assert "Read-only" in (await shell.run("touch x; echo kept >/tmp/y", timeout_s=300)).text
    assert (await shell.run("cat /tmp/y", timeout_s=300)).text == "kept\n"
    assert os.listdir(tmp_path / "w") == []


async def test_the_sum_of_all_commands_is_watched(opened: Open) -> None:
    shell = opened(ResourceLimits(memory_together=400 << 20))
    hold = "python -c 'x = bytearray(250 << 20); x[::4096] = b\"x\" * len(x[::4096]); import time; time.sleep(60)'"
    assert (await shell.run(f"{hold} & sleep 0", timeout_s=300)).exit_code == 0
    ran = await shell.run(f"export A=1; {hold}", timeout_s=300)
    assert "MiB together" in ran.exceeded
    after = await shell.run("echo [$A]", timeout_s=300)
    assert (after.text, "MiB together" in after.lost) == ("[]\n", True)


@AS_ROOT
async def test_a_shell_of_roots_hub_belongs_to_another_account(opened: Open, tmp_path: Path) -> None:
    shell = opened()
    await shell.run("echo 1 >one", timeout_s=300)
    await shell.run("echo 2 >two", timeout_s=300)
    account = outside_account(tmp_path / "w")
    assert account is not None
    assert {(tmp_path / "w" / name).stat().st_uid for name in ("one", "two")} == {account.uid}


async def test_while_files_are_looked_at_nothing_in_it_moves(opened: Open, tmp_path: Path) -> None:
    shell, counter = opened(), tmp_path / "w" / "n"
    await shell.run(
        "echo 0 >n; (i=0; while :; do i=$((i+1)); echo $i >n.new; mv n.new n; done) & true", timeout_s=300
    )

    def number() -> int:
        return int(counter.read_text())

    await until(lambda: number() > 5, what="the program to count")
    async with shell.still():
        seen = number()
        for _ in range(200):
            assert number() == seen
    await until(lambda: number() > seen, what="the program to go on")


async def test_programs_that_wake_each_other_are_ended_instead(opened: Open) -> None:
    """Four processes that let each other go on, in threads of their own, are never all stopped for long."""
    shell = opened()
    wake = (
        "import os, signal, sys\n"
        "pids = []\n"
        "for _ in range(3):\n"
        "    pid = os.fork()\n"
        "    if not pid: break\n"
        "    pids.append(pid)\n"
        "while True:\n"
        "    for pid in range(2, 60):\n"
        "        try: os.kill(pid, signal.SIGCONT)\n"
        "        except OSError: pass\n"
    )
    await shell.run(f"cat >wake.py <<'X'\n{wake}X\npython wake.py 36501 & sleep 0.5; export A=1", timeout_s=300)
    assert processes_with("36501")
    async with shell.still():
        pass
    ran = await shell.run("echo [$A]", timeout_s=300)
    if ran.lost:
        assert "held still" in ran.lost
        assert not processes_with("36501")
    else:
        assert ran.text == "[1]\n"
