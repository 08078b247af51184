"""What every sandbox that lasts promises, with real processes."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.sandbox.port import ExecResult, ResourceLimits, Sandbox, Shell
from agenthub_worker.sandbox.unsandboxed import Unsandboxed
from tests.contract.test_sandbox_contract import processes_with
from tests.support.until import until

LIMITS = ResourceLimits(shell_output_kept=20_000, output_flood=20 << 20)


@pytest.fixture(params=["bwrap", "none"])
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    return Bubblewrap(LIMITS) if request.param == "bwrap" else Unsandboxed(LIMITS, allowed=True)


@pytest.fixture
async def shell(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Shell]:
    shell = sandbox.shell(workspace=tmp_path, env={"GIVEN": "yes"})
    yield shell
    await shell.close()


async def said(shell: Shell, command: str, timeout_s: float = 20) -> tuple[int, str]:
    ran = await shell.run(command, timeout_s=timeout_s)
    return ran.exit_code, ran.text


async def test_folder_variables_functions_and_files_last(shell: Shell, tmp_path: Path) -> None:
    assert await said(
        shell, "mkdir 'a b' && cd 'a b' && export X=$'one\\ntwo' Y=\"it's\"; f() { echo f $1; }"
    ) == (0, "")
    assert await said(shell, 'pwd | grep -o "[^/]*$"; echo "$X|$Y|$GIVEN"; f 3; echo made >x') == (
        0,
        "a b\none\ntwo|it's|yes\nf 3\n",
    )
    assert (tmp_path / "a b" / "x").read_text() == "made\n"


async def test_what_was_taken_out_stays_out(shell: Shell) -> None:
    await shell.run("unset LANG GIVEN; export -n USER; true", timeout_s=300)
    assert await said(shell, 'echo "[$LANG$GIVEN]"; env | grep -c ^USER=') == (1, "[]\n0\n")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("exit 7", 7),
        ("set -e; false; echo no", 1),
        ("kill -9 $$", 137),
        ("exec false", 1),
        ("if", 2),
        ("set -u; echo $NOTHING", 127),
        ("readonly R=1; trap 'echo bye' EXIT; false", 1),
        ("exec >/dev/null 2>&1; exit 3", 3),
    ],
)
async def test_no_command_breaks_the_next_one(shell: Shell, command: str, code: int) -> None:
    await shell.run("export KEPT=1; cd /", timeout_s=300)
    assert (await shell.run(command, timeout_s=300)).exit_code == code
    assert await said(shell, "echo $KEPT $PWD; false; echo $NOTHING.") == (0, "1 /\n.\n")


async def test_programs_in_the_background_live_on_and_are_heard(shell: Shell) -> None:
    assert await said(shell, "mkfifo gate; echo up") == (0, "up\n")
    await shell.run("(read line <gate; echo heard $line) & true", timeout_s=300)
    assert await said(shell, "echo news >gate; echo sent") == (0, "sent\n")

    async def heard() -> bytes:
        return (await shell.run("true", timeout_s=300)).meanwhile

    assert b"heard news" in await until(heard, what="the program in the background to be heard")


async def test_a_command_that_hangs_is_ended_and_the_others_are_not(shell: Shell) -> None:
    await shell.run("export A=1; sleep 36411 & sleep 0", timeout_s=300)
    ran = await shell.run("export A=2; sleep 36412 & trap '' TERM; echo begun; while :; do :; done", timeout_s=4)
    assert (ran.timed_out, ran.exit_code, ran.text, ran.lost) == (True, 137, "begun\n", "")
    await until(lambda: not processes_with("36412"), what="what it had started to be dead")
    assert processes_with("36411")
    assert await said(shell, "echo $A") == (0, "1\n")


async def test_a_hanging_command_takes_along_what_has_left_its_session(shell: Shell) -> None:
    command = "setsid bash -c \"trap '' TERM HUP; sleep 36413\" & sleep 36414"
    assert (await shell.run(command, timeout_s=0.7)).timed_out
    await until(lambda: not processes_with("36413") and not processes_with("36414"), what="all of it to be dead")


async def test_closing_leaves_no_process(shell: Shell) -> None:
    await shell.run("sleep 36415 & (setsid nohup sleep 36415 >/dev/null 2>&1 &) ; sleep 0", timeout_s=300)
    assert processes_with("36415")
    await shell.close()
    await until(lambda: not processes_with("36415"), what="everything to be dead")
    assert await said(shell, "echo $OLDPWD; pwd | wc -l") == (0, "\n1\n")


async def test_cancelling_a_command_ends_everything(shell: Shell) -> None:
    started = asyncio.Event()
    await shell.run("sleep 36416 & sleep 0", timeout_s=300)
    running = asyncio.create_task(
        shell.run("echo go; sleep 36417", timeout_s=300, on_output=lambda _: started.set())
    )
    await asyncio.wait_for(started.wait(), 120)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await until(lambda: not processes_with("36416") and not processes_with("36417"), what="all to be dead")


async def test_a_killed_worker_leaves_no_process_of_a_shell(sandbox: Sandbox, tmp_path: Path) -> None:
    make = "Bubblewrap()" if sandbox.name == "bwrap" else "Unsandboxed(allowed=True)"
    script = (
        "import asyncio, pathlib\n"
        "from agenthub_worker.sandbox.bubblewrap import Bubblewrap\n"
        "from agenthub_worker.sandbox.unsandboxed import Unsandboxed\n"
        "async def main():\n"
        f"    shell = {make}.shell(workspace=pathlib.Path({str(tmp_path)!r}))\n"
        "    await shell.run('(setsid sleep 36418 &) ; sleep 36418 & true', timeout_s=300)\n"
        "    await shell.run('touch begun; sleep 36419', timeout_s=600)\n"
        "asyncio.run(main())\n"
    )
    worker = await asyncio.to_thread(subprocess.Popen, [sys.executable, "-c", script])
    try:
        await until((tmp_path / "begun").exists, what="the command to run")
        assert processes_with("36418")
    finally:
        worker.send_signal(signal.SIGKILL)
        await asyncio.to_thread(worker.wait)
    await until(lambda: not processes_with("36418") and not processes_with("36419"), what="the orphans to be dead")


async def test_output_is_bounded_and_a_flood_is_stopped(shell: Shell) -> None:
    ran = await shell.run("echo first; head -c 5000000 /dev/zero | tr '\\0' x; echo; echo last", timeout_s=300)
    assert (ran.exit_code, ran.truncated, ran.flooded) == (0, True, False)
    assert ran.text.startswith("first\n")
    assert ran.text.endswith("\nlast\n")
    flood = await shell.run("yes", timeout_s=300)
    assert (flood.exit_code, flood.flooded, flood.timed_out) == (137, True, False)
    await shell.run("yes 36420 & echo next", timeout_s=300)
    await until(lambda: not processes_with("36420"), what="a flood from the background to be stopped")
    assert (await said(shell, "echo alive"))[1] == "alive\n"


@pytest.mark.parametrize("word", ["echo a\0b", "echo \ud800"], ids=["null", "surrogate"])
async def test_what_no_program_can_be_given_is_told(shell: Shell, word: str) -> None:
    ran: ExecResult = await shell.run(word, timeout_s=300)
    assert ran.exit_code == 126
    assert "cannot hold a null character" in ran.text


@pytest.mark.parametrize("command", ["echo ü€🎉 'a\"b'", "cat <<'X'\n$HOME\nX\n", "echo a; # end", "  \n"])
async def test_commands_arrive_as_they_were_said(shell: Shell, tmp_path: Path, command: str) -> None:
    # Its own bash is what each command would have had.
    bash = await asyncio.to_thread(subprocess.run, ["bash", "-c", command], capture_output=True, text=True)
    assert await said(shell, command) == (bash.returncode, bash.stdout)
