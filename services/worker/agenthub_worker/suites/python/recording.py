"""Has the runs of unittest listened to, and reads what was heard: written by code that nobody trusts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from agenthub_worker.evidence.reports import NO_TESTS, Case, Outcome, ReportRefused, closing_lines
from agenthub_worker.projects.test_environment import RunFolders
from agenthub_worker.suites.read import RANK, json_lines

EXPECTED_TO_FAIL = "expected to fail"
_REPORT = "unittest-"
_PROCESSES_MAX = 100
_NUMBERED = re.compile(rf"{_REPORT}\d+\.jsonl")
# The newest words of Python that the program has are those of 3.7.
_SITE = """
if sys.version_info >= (3, 7):
    import agenthub_recorder
    agenthub_recorder.begin({root!r}, {prefix!r})
"""
# What an old Python cannot load is not measured.
_MEASURED = """
try:
    import coverage
except (ImportError, SyntaxError):
    pass
else:
    coverage.process_startup()
"""
_RULES = "coverage-processes.ini"
_OF_PROCESSES = """\
[run]
parallel = true
concurrency = thread, multiprocessing
sigterm = true
source =
    {root}
"""
_OUTCOMES: Mapping[str, Outcome] = {
    "passed": "passed",
    "part passed": "passed",
    "failed": "failed",
    "unexpected": "failed",
    "error": "error",
    "skipped": "skipped",
    "expected": "skipped",
}


class _Line(msgspec.Struct):
    what: str
    test: str = ""
    why: str = ""


class _Heard(msgspec.Struct):
    """What was heard of one run or of several. `open`: some have not come to their end."""

    runs: int = 0
    open: int = 0
    started: dict[str, int] = {}
    cases: dict[str, Case] = {}

    def take(self, line: _Line) -> None:
        """Add a line; of two outcomes of a test the worse one counts."""
        if line.what == "begin":
            self.runs += 1
            self.open += 1
        elif line.what == "end":
            self.open -= 1
        elif line.what == "started":
            self.started[line.test] = self.started.get(line.test, 0) + 1
        elif line.what in _OUTCOMES:
            outcome = _OUTCOMES[line.what]
            known = self.cases.get(line.test)
            if known is None or RANK.index(outcome) > RANK.index(known.outcome):
                reason = EXPECTED_TO_FAIL if line.what == "expected" else line.why
                self.cases[line.test] = Case(line.test, outcome, reason)

    def all(self) -> Iterator[Case]:
        """The tests; one that has begun and not ended is an error, and so is a run."""
        unended = [name for name in self.started if name not in self.cases]
        yield from self.cases.values()
        yield from (Case(name, "error") for name in unended or (NO_TESTS[1:] if self.open else ()))


def listen(folders: RunFolders, root: str, *, measured: bool) -> dict[str, str]:
    """Put what listens beside a run in these folders; the variables that it needs.

    `root` is the workspace as commands see it. `measured`: every process of the run writes its coverage down.
    """
    python = folders.support / "python"
    program = Path(__file__).with_name("recorder.py").read_text("utf-8")
    (python / "agenthub_recorder.py").write_text(program, "utf-8")
    with (python / "sitecustomize.py").open("a") as site:
        site.write(_SITE.format(root=root, prefix=f"{folders.reports}/{_REPORT}"))
        site.write(_MEASURED if measured else "")
    if not measured:
        return {}
    rules = (folders.support / "coverage.ini").read_text()
    (folders.support / _RULES).write_text(rules.replace("[run]\n", _OF_PROCESSES.format(root=root), 1))
    return {"COVERAGE_PROCESS_START": f"{folders.support}/{_RULES}"}


def joined_command(folders: RunFolders) -> str:
    """The line that makes one report of what all processes of a run have measured.

    Isolated, so that no module of the workspace stands in for one of coverage's.
    """
    coverage, rules = "python -I -m coverage", shlex.quote(f"{folders.support}/{_RULES}")
    report = shlex.quote(f"{folders.reports}/coverage.json")
    return f"{coverage} combine -q --rcfile={rules} && {coverage} json -q --rcfile={rules} -o {report}"


def read_unittest(reports: Path, output: bytes) -> tuple[Case, ...] | None:
    """The tests of all runs, each once; None where none was heard. Raises `ReportRefused`.

    They are held against the closing lines of the `output`, where each run has one.
    """
    files = sorted(path for path in reports.iterdir() if _NUMBERED.fullmatch(path.name))
    if len(files) > _PROCESSES_MAX:
        raise ReportRefused(f"more than {_PROCESSES_MAX} processes have written into it")
    heard = _Heard(started={}, cases={})
    for path in files:
        for line in json_lines(path, _Line):
            heard.take(line)
    told = closing_lines(output)
    ran, is_red = sum(one.ran for one in told), any(one.failed or one.errors for one in told)
    if not heard.runs or (ran and not heard.started and not heard.cases):
        return None
    cases = tuple(heard.all())
    begun, red = sum(heard.started.values()), sum(case.outcome in ("failed", "error") for case in cases)
    if len(told) == heard.runs and (ran, is_red) != (begun, red > 0):
        raise ReportRefused(
            f"of {begun} tests that began it calls {red} red, and its closing lines speak of {ran} tests,"
            f" {'some' if is_red else 'none'} of them red"
        )
    return cases
