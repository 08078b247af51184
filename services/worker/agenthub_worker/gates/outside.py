"""Makes the calls of tests again outside of any test: what comes back there has to be what came back in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from agenthub_worker.evidence.layout import run_folder
from agenthub_worker.evidence.test_history import some
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.experiments import canary, unaware
from agenthub_worker.gates.copies import Copies

_CALLS_MAX = 200
_SHOWN = 120


class SeenCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that tests have made: `place` is `path:line` of the function, `came` what came back, as a text."""

    place: str
    module: str
    name: str
    given: str
    came: str
    path: tuple[str, ...]
    folder: str
    program: str
    variables: Mapping[str, str]


class AnswerOutside(msgspec.Struct, frozen=True, kw_only=True):
    """A call, and what it gives `outside` of tests."""

    call: SeenCall
    outside: str


class OutsideTrial:
    """Tries the calls that were seen in a run of the tests; `token` gives names that nobody knows."""

    def __init__(self, copies: Copies, report: TestReport, files: Sequence[str], token: Callable[[], str]) -> None:
        self._copies = copies
        self._report = report
        self._files = files
        self._token = token

    async def refusal(self, seen: Sequence[str]) -> str:
        """Why the tests count for nothing; empty: nothing speaks against them, or nobody can tell."""
        if not self._copies.takes_paths:
            return ""
        other = await self._other(_calls(seen))
        if not other:
            return ""
        # What is another thing each time, or rests on what came before it, says nothing of tests.
        other = [one for one in await self._other([o.call for o in other]) if one in other]
        other = await self._as_in_tests(other) if other else []
        return _said(other) if other else ""

    async def _other(self, calls: Sequence[SeenCall]) -> list[AnswerOutside]:
        """Those that give something else outside of tests."""
        if not calls:
            return []
        answers = await self._copies.call_again(unaware.plain_program(), msgspec.json.encode(calls))
        pairs = zip(calls, answers, strict=False)
        return [AnswerOutside(call=c, outside=a) for c, a in pairs if a is not None and not _is_same(c.came, a)]

    async def _as_in_tests(self, answered: Sequence[AnswerOutside]) -> list[AnswerOutside]:
        """Those that give in a test of ours, alone and in a new process, what they gave in the tests."""
        ran = {case.id.split("::", 1)[0] for case in self._report.cases or ()}
        at, name = run_folder(ran, set(self._files)), f"test_{self._token()}.py"
        text = unaware.program_of_tests(
            msgspec.json.encode([msgspec.to_builtins(one) for one in answered]).decode()
        )
        report = await self._copies.run(
            "unaware", {at + name: text.encode()}, paths=[name], options=(*canary.OPTIONS, "--noconftest")
        )
        green = {case.id.rpartition("[")[2].rstrip("]") for case in report.cases or () if case.outcome == "passed"}
        return [one for number, one in enumerate(answered) if str(number) in green]


def _calls(seen: Sequence[str]) -> list[SeenCall]:
    found = []
    for line in seen:
        if line.startswith("call\t"):
            try:
                found.append(msgspec.json.decode(line.removeprefix("call\t"), type=SeenCall))
            except msgspec.DecodeError:
                continue
    return found[:_CALLS_MAX]


def _is_same(came: str, answer: str) -> bool:
    """Whether an answer is what came back; where nothing did, the call may have ended with an exception."""
    return came == answer or (came == unaware.NOTHING and answer.startswith("!"))


def _said(answered: Sequence[AnswerOutside]) -> str:
    told = [
        f"{one.call.name} ({one.call.place}) gives {_words(one.call.came)} in tests"
        f" and {_words(one.outside)} outside of them"
        for one in answered
    ]
    return (
        "Tests are green for another reason than what the code does: with the same arguments"
        f" {some(told)}. Where it is meant, a person can accept it."
    )


def _words(text: str) -> str:
    """A value as people read it: without the kind of plain ones."""
    kind, _, value = text.partition(" ")
    return (text if not value or kind in ("list", "tuple", "set", "dict") else value)[:_SHOWN]
