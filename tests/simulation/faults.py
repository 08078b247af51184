"""The adversary: at every point where a process waits for a port, a seed decides what goes wrong there."""

from __future__ import annotations

import asyncio
from random import Random
from typing import NamedTuple

from agenthub_events.errors import StoreUnavailable
from tests.simulation.process import Process, current


class Weather(NamedTuple):
    """How often what goes wrong: chances at each point, and how many processes may die in all."""

    delay: float = 0.0
    lag: float = 0.0
    cut: float = 0.0
    crash: float = 0.0
    repeat: float = 0.0
    starve: float = 0.0
    drain: float = 0.0
    crashes: int = 0


CALM = Weather()


class Fault(NamedTuple):
    """One thing that went wrong: at which virtual second, in which process, at which point."""

    at: float
    process: str
    point: str
    action: str


def weather_of(chance: Random) -> Weather:
    """Some seeds have much of one thing, some a little of everything."""
    return Weather(
        delay=chance.choice((0.0, 0.05, 0.3)),
        lag=chance.choice((0.0, 0.05, 0.3)),
        cut=chance.choice((0.0, 0.01, 0.05)),
        crash=chance.choice((0.0, 0.003, 0.01, 0.02)),
        repeat=chance.choice((0.0, 0.05, 0.2)),
        starve=chance.choice((0.0, 0.02, 0.1)),
        drain=chance.choice((0.0, 0.0, 0.02)),
        crashes=chance.choice((3, 6, 12)),
    )


class Adversary:
    """Decides what goes wrong. `schedule` holds everything that did, in order."""

    def __init__(self, seed: int, weather: Weather) -> None:
        self._chance = Random(f"adversary-{seed}")
        self._weather = weather
        self._crashes_left = weather.crashes
        self.schedule: list[Fault] = []

    def stop(self) -> None:
        """From here on nothing goes wrong."""
        self._weather = CALM

    async def gate(self, point: str) -> None:
        """Pass a point of a port: late, or not at all. Raises `StoreUnavailable` where the wire is cut."""
        process = current()
        if process is None:
            return
        process.must_live()
        weather, roll = self._weather, self._chance.random()
        # Most points are reads; what is left half done by a write matters more.
        crash = weather.crash * (4.0 if "append" in point else 0.5)
        if roll < crash and self._crashes_left > 0:
            self._crashes_left -= 1
            self._note(process, point, "crash")
            process.kill()
        elif roll < crash + weather.cut:
            self._note(process, point, "cut")
            raise StoreUnavailable(f"the wire was cut at {point}")
        elif roll < crash + weather.cut + weather.delay:
            pause = self._chance.choice((0.0, 0.001, 0.02, 0.5, 3.0))
            self._note(process, point, f"delay {pause}")
            await asyncio.sleep(pause)
        elif point == "append.before" and self._chance.random() < weather.lag:
            # What is decided now is written when others have written too.
            pause = self._chance.choice((0.5, 2.0, 8.0))
            self._note(process, point, f"lag {pause}")
            await asyncio.sleep(pause)
        process.must_live()

    def loses(self, point: str) -> bool:
        """Whether a message that nobody answers is lost here."""
        process = current()
        lost = self._chance.random() < self._weather.cut
        if lost and process is not None:
            self._note(process, point, "lost")
        return lost

    def repeats(self, point: str) -> float | None:
        """After how many seconds an order is given out again although somebody holds it; None: it is not."""
        process = current()
        if process is None or self._chance.random() >= self._weather.repeat:
            return None
        pause = self._chance.choice((0.0, 0.5, 5.0))
        self._note(process, point, f"repeat after {pause}")
        return pause

    def starves(self, process: Process) -> bool:
        """Whether the process finds no time for its heartbeat now."""
        now = asyncio.get_running_loop().time()
        if now < process.starved_until:
            return True
        if self._chance.random() < self._weather.starve:
            seconds = self._chance.choice((5.0, 12.0, 30.0))
            process.starved_until = now + seconds
            self._note(process, "heartbeat", f"starve {seconds}")
            return True
        return False

    def drains(self, process: Process) -> bool:
        """Whether the process is told to stop, as with a new release."""
        drained = self._chance.random() < self._weather.drain
        if drained:
            self._note(process, "heartbeat", "drain")
        return drained

    def pick(self, *choices: float) -> float:
        """One of some durations."""
        return self._chance.choice(choices)

    def tosses(self) -> bool:
        """One of two things."""
        return self._chance.random() < 0.5

    def _note(self, process: Process, point: str, action: str) -> None:
        at = round(asyncio.get_running_loop().time(), 3)
        self.schedule.append(Fault(at, process.name, point, action))
