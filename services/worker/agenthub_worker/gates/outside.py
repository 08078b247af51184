"""Makes the calls of tests again outside of any test: what comes back there has to be what came back in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from agenthub_events.catalogue.values import Finding
from agenthub_worker.evidence.layout import is_test_file, run_folder
from agenthub_worker.evidence.test_history import some
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.experiments import canary, unaware
from agenthub_worker.gates.copies import Copies

_CALLS_MAX = 600
_SHOWN = 120
_FINDINGS_MAX = 20
GIVES_ANOTHER = "gives another thing outside of tests"
NOT_MADE_AGAIN = "was not called outside of tests: what it is given or what it gives cannot be kept"
_NONE = "no call was made again outside of tests"
NO_CALLS = f"{_NONE}: none was seen that can be kept"
NOT_PYTHON = f"{_NONE}: that is done in Python alone"
TOO_SLOW = f"{_NONE}: the tests take long, and no changed line can look around"


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


class OutsideSaid(msgspec.Struct, frozen=True, kw_only=True):
    """What calls outside of tests have shown: why the tests count for nothing (empty: they count), and how many
    calls that rests on. `findings` name the functions of which that says nothing.
    """

    refusal: str = ""
    note: str = ""
    findings: tuple[Finding, ...] = ()


class OutsideTrial:
    """Tries the calls that were seen in a run of the tests; `token` gives names that nobody knows."""

    def __init__(self, copies: Copies, report: TestReport, files: Sequence[str], token: Callable[[], str]) -> None:
        self._copies = copies
        self._report = report
        self._files = files
        self._token = token

    async def said(self, seen: Sequence[str]) -> OutsideSaid:
        """Make the calls again, and say what they show."""
        calls = _calls(seen)
        first = await self._answers(calls)
        made, other = sum(answer is not None for answer in first), _differing(calls, first)
        # What is another thing each time, or rests on what came before it, says nothing of tests.
        again = [one.call for one in other]
        same = [one for one in _differing(again, await self._answers(again)) if one in other]
        is_told = self._copies.takes_paths
        knowing = await self._as_in_tests(same) if same and is_told else []
        if knowing:
            return OutsideSaid(refusal=_said(knowing))
        why = "as by fixtures, clock or chance" if is_told else "why, a command that takes no paths does not show"
        lost = _never_kept(seen, calls)
        return OutsideSaid(
            note=_note(made, len(other), len(lost)),
            findings=(
                *(_finding(one.call.place, f"{one.call.name} {GIVES_ANOTHER}, {why}") for one in other),
                *(_finding(place, f"{name} {NOT_MADE_AGAIN}") for place, name in lost.items()),
            )[:_FINDINGS_MAX],
        )

    async def _answers(self, calls: Sequence[SeenCall]) -> list[str | None]:
        """What the calls give where there is no test, not even in a file."""
        if not calls:
            return []
        gone = [path for path in self._files if is_test_file(path) or path.endswith("conftest.py")]
        return await self._copies.call_again(unaware.plain_program(), msgspec.json.encode(calls), gone)

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


def _differing(calls: Sequence[SeenCall], answers: Sequence[str | None]) -> list[AnswerOutside]:
    pairs = zip(calls, answers, strict=False)
    return [AnswerOutside(call=c, outside=a) for c, a in pairs if a is not None and not _is_same(c.came, a)]


def _never_kept(seen: Sequence[str], calls: Sequence[SeenCall]) -> dict[str, str]:
    """Functions of which no call could be kept: their names by their places."""
    lost = [line.split("\t") for line in seen if line.startswith("lost\t") and line.count("\t") == 2]
    kept = {call.place for call in calls}
    return {place: name for _, place, name in lost if place not in kept}


def _note(made: int, other: int, lost: int) -> str:
    """How many calls were made again outside of tests, and of how many functions none."""
    same = f"{made - other} of {made} calls gave the same outside of tests" if made else NO_CALLS
    of = f"{lost} function{'s' if lost > 1 else ''}"
    return f"{same}; of {of} no call could be made there" if lost else same


def _finding(place: str, message: str) -> Finding:
    file, _, line = place.rpartition(":")
    number = int(line) if line.isdecimal() else 0
    return Finding(file=file, line=number, severity="info", message=message, source="tests")


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
