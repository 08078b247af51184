"""Starting programs: nothing of this process reaches them, nothing of them stays, and none waits for another."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
import uvloop

from agenthub_runtime.embedded.servers.nats import NatsServer
from agenthub_runtime.embedded.servers.postgres import PostgresServer
from agenthub_runtime.jetstream.connection import connect
from agenthub_runtime.processes.spawn import Process, off_loop, run
from tests.contract.test_sandbox_contract import processes_with
from tests.support.until import until

LIST = [sys.executable, "-I", "-S", "-c", "import os; print(*sorted(os.listdir('/proc/self/fd'), key=int))"]
SESSION = [sys.executable, "-I", "-S", "-c", "import os; print(os.getsid(0) == os.getpid())"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner


def test_a_child_of_a_busy_process_inherits_what_it_was_given_and_no_more(
    loop: asyncio.Runner, nats_server: NatsServer, postgres_server: PostgresServer
) -> None:
    async def main() -> None:
        nc = await connect(nats_server.authorised_url, "test", give_up_after_s=300)
        database = await asyncpg.connect(postgres_server.authorised_url)
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        receive, send = os.pipe()
        os.set_inheritable(send, True)
        try:
            # The fourth is the one by which the list itself is read.
            assert (await run(LIST)).stdout.split() == [b"0", b"1", b"2", b"3"]
            given = await _said(partial(Process, LIST, stdout=send, stderr=send, pass_fds=(receive,)), receive)
            assert {int(number) for number in given.split()} == {0, 1, 2, 3, receive}
        finally:
            os.close(receive)
            os.close(send)
            server.close()
            await server.wait_closed()
            await database.close()
            await nc.close()

    loop.run(main())


def test_a_child_reads_all_it_is_given_and_may_ignore_it(loop: asyncio.Runner) -> None:
    data = os.urandom(3 << 20)

    async def main() -> None:
        assert (await run(["/bin/cat"], data=data)).stdout == data
        assert (await run(["/bin/cat"], data=b"")).stdout == b""
        assert (await run(["/bin/sh", "-c", "exec 0<&-; echo no >&2; exit 3"], data=data)).code == 3

    loop.run(main())


def test_output_beyond_the_limit_ends_the_program(loop: asyncio.Runner) -> None:
    output = loop.run(run(["/bin/cat", "/dev/zero"], limit=100_000))
    assert (len(output.stdout), output.cut, output.code) == (100_000, True, -9)
    output = loop.run(run(["/bin/echo", "abc"], limit=4))
    assert (output.stdout, output.cut, output.code) == (b"abc\n", False, 0)


def test_a_program_that_is_not_there_is_an_error_of_the_caller(loop: asyncio.Runner, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        loop.run(run([str(tmp_path / "absent")]))


def test_many_long_programs_hold_up_no_short_one_and_leave_no_thread(loop: asyncio.Runner) -> None:
    marker = "31536017"

    async def main() -> None:
        sleepers = [asyncio.create_task(run(["/bin/sleep", marker])) for _ in range(48)]
        await until(lambda: len(processes_with(marker)) == 48, what="all of them sleep")
        threads = threading.active_count()
        async with asyncio.timeout(120):
            assert (await run(["/bin/echo", "short"])).stdout == b"short\n"
        assert threading.active_count() == threads
        assert sum(thread.name.startswith("starter") for thread in threading.enumerate()) == 1
        await _cancelled(*sleepers)
        assert not processes_with(marker)

    loop.run(run(["/bin/true"]))
    descriptors = os.listdir("/proc/self/fd")
    loop.run(main())
    assert os.listdir("/proc/self/fd") == descriptors


def test_a_start_that_is_cancelled_leaves_nothing_behind(loop: asyncio.Runner) -> None:
    marker = "31536018"
    script = f"/bin/sleep {marker} & exec /bin/sleep {marker}"
    entered, go = threading.Event(), threading.Event()

    def start() -> Process:
        entered.set()
        go.wait()
        process = Process(["/bin/sh", "-c", script], new_session=True)
        while len(processes_with(marker)) < 2:
            pass
        return process

    async def main() -> None:
        task = asyncio.create_task(off_loop(start))
        await asyncio.to_thread(entered.wait)
        task.cancel()
        go.set()
        await _cancelled(task)
        await until(lambda: not processes_with(marker), what="its whole group is gone")

    loop.run(main())


def test_only_who_asks_gets_a_session_of_its_own(loop: asyncio.Runner) -> None:
    async def main() -> None:
        assert (await run(SESSION)).stdout == b"False\n"
        receive, send = os.pipe()
        try:
            assert await _said(partial(Process, SESSION, stdout=send, new_session=True), receive) == b"True\n"
        finally:
            os.close(receive)
            os.close(send)

    loop.run(main())


async def _said(start: Callable[[], Process], receive: int) -> bytes:
    process = await off_loop(start)
    assert await process.ended() == 0
    return os.read(receive, 4096)


async def _cancelled(*tasks: asyncio.Task[object]) -> None:
    for task in tasks:
        task.cancel()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ends)
