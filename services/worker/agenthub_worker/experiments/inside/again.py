"""Makes calls again that tests have made: `python main.py CALLS ANSWERS`, outside of any test."""

from __future__ import annotations

import base64
import importlib
import io
import json
import os
import pickle
import signal
import sys
from collections.abc import Iterator
from typing import Any

from agenthub_worker.experiments.inside.shapes import shape

_TICK_S = 0.1
_TICKS = 30
"""So long a call may take; however long the machine stands still, it counts as one tick."""


class _TooLate(BaseException):
    """A call has not ended in its time."""


class _Arguments(pickle.Unpickler):
    """Reads arguments that need nothing of tests."""

    def find_class(self, module: str, name: str) -> Any:
        """As the library does it, but for what is of tests."""
        parts = module.split(".")
        if any(part.startswith(("test", "_pytest", "pytest", "conftest")) for part in parts):
            raise pickle.UnpicklingError(module)
        return super().find_class(module, name)


def answers(calls: list[dict[str, Any]]) -> list[str | None]:
    """What comes back of each call, as a text.

    None where it cannot be made, `!name` for an exception, `!late` where it does not end.
    """
    return list(_answers_of(calls))


def _answers_of(calls: list[dict[str, Any]]) -> Iterator[str | None]:
    for call in calls:
        sys.path[:0] = [folder for folder in call["path"] if folder not in sys.path]
        for name, value in call["variables"].items():
            os.environ.setdefault(name, value)
        sys.argv[:] = [call["program"]]
        if os.path.isdir(call["folder"]):
            os.chdir(call["folder"])

    ticks = 0

    def tick(*_: Any) -> None:
        nonlocal ticks
        ticks += 1
        if ticks == _TICKS:
            raise _TooLate

    before = signal.signal(signal.SIGALRM, tick)
    try:
        for call in calls:
            ticks = 0
            signal.setitimer(signal.ITIMER_REAL, _TICK_S, _TICK_S)
            try:
                answer = _answer(call)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except _TooLate:
                answer = "!late"
            yield answer
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _answer(call: dict[str, Any]) -> str | None:
    try:
        function = _found(importlib.import_module(call["module"]), call["name"])
        places, words = _Arguments(io.BytesIO(base64.b64decode(call["given"]))).load()
    except _TooLate:
        raise
    except BaseException:
        return None
    try:
        return shape(function(*places, **words))
    except _TooLate:
        raise
    except BaseException as error:
        return f"!{type(error).__name__}"


def _found(thing: Any, name: str) -> Any:
    for part in name.split("."):
        thing = vars(thing)[part]
        thing = getattr(thing, "__func__", getattr(thing, "fget", thing))
    return thing


def main(given: str, wanted: str) -> None:
    """Read the calls from one file and write what comes back to another, a line each as it comes."""
    with open(given, encoding="utf-8") as file:
        calls = json.load(file)
    with open(wanted, "w", encoding="utf-8") as file:
        for answer in _answers_of(calls):
            file.write(f"{json.dumps(answer)}\n")
            file.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
