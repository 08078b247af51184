"""Ending tasks, also those of which a library has kept the first cancellation to itself."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from agenthub_runtime.shutdown import end_tasks, together, until_asked_to_stop
from tests.support.until import until

SOON_S = 0.01


class Deaf:
    """Waits for an answer that comes in the moment of the cancellation, as nats-py may; then for ever."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended = False

    async def run(self) -> None:
        try:
            await asyncio.wait_for(self.answer, 3_600)
            await asyncio.Event().wait()
        finally:
            self.ended = True

    def strike(self) -> None:
        self.answer.set_result(None)


async def test_a_task_that_was_deaf_for_a_cancellation_is_cancelled_again() -> None:
    deaf = Deaf()
    task = asyncio.create_task(deaf.run())
    await asyncio.sleep(0)
    deaf.strike()
    await end_tasks(task, again_s=SOON_S)
    assert deaf.ended
    assert task.cancelled()


async def test_what_has_ended_and_what_fails_at_its_end_are_waited_for_all_the_same() -> None:
    async def fails() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("at its end")

    async def nothing() -> None:
        return

    done, failing = asyncio.create_task(nothing()), asyncio.create_task(fails())
    await done
    await asyncio.sleep(0)
    await end_tasks(done, failing)
    await end_tasks()
    assert failing.done()


async def test_the_first_of_several_that_fails_ends_the_others_and_is_raised() -> None:
    deaf = Deaf()

    async def fails() -> None:
        await asyncio.sleep(0)
        deaf.strike()
        raise ValueError("the first")

    with pytest.raises(ValueError, match="the first"):
        await together(deaf.run(), fails())
    assert deaf.ended


async def test_several_end_when_all_have_ended_or_when_they_are_cancelled() -> None:
    heard: list[int] = []

    async def say(number: int) -> None:
        heard.append(number)

    await together(say(1), say(2))
    assert sorted(heard) == [1, 2]
    deaf = Deaf()
    task = asyncio.create_task(together(deaf.run(), asyncio.Event().wait()))  # type: ignore[arg-type]
    for _ in range(3):
        await asyncio.sleep(0)
    deaf.strike()
    await end_tasks(task, again_s=SOON_S)
    assert task.cancelled()
    assert deaf.ended


async def test_a_signal_ends_work_that_was_deaf_for_it() -> None:
    deaf = Deaf()
    serving = asyncio.create_task(until_asked_to_stop(deaf.run(), again_s=SOON_S))
    await asyncio.sleep(0)
    os.kill(os.getpid(), signal.SIGTERM)
    deaf.strike()
    await until(serving.done, what="the service ends")
    assert deaf.ended
    assert serving.exception() is None


async def test_what_a_service_fails_with_is_raised() -> None:
    async def fails() -> None:
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        await until_asked_to_stop(fails())
