"""Says in one sentence why a test run is not green, where its output tells it."""

from __future__ import annotations

import re

from agenthub_worker.evidence.testing import TestReport

_LOG_READ = 400_000
_CAUSE_MAX = 280

# Fixtures by the plugins that bring them, as far as they are widely known.
_BROUGHT_BY = {
    "mocker": "pytest-mock",
    "benchmark": "pytest-benchmark",
    "httpx_mock": "pytest-httpx",
    "requests_mock": "requests-mock",
    "httpserver": "pytest-httpserver",
    "freezer": "pytest-freezer",
    "faker": "Faker",
    "snapshot": "syrupy",
    "datadir": "pytest-datadir",
    "db": "pytest-django",
    "aiohttp_client": "pytest-aiohttp",
    "qtbot": "pytest-qt",
    "postgresql": "pytest-postgresql",
    "page": "pytest-playwright",
}

# What programs say, in the order in which it explains the most; {name} is what the expression found.
_CAUSES = (
    (r"\A(?P<name>The setup command [^\n]+)", "{name}"),
    (
        r"error: unrecognized arguments: (?P<name>[^\n]+)",
        "pytest does not know the option `{name}`: the plugin that brings it is missing, or it is misspelt.",
    ),
    (
        r"Error importing plugin \"(?P<name>[^\"\n]+)\"",
        "The plugin `{name}` of pytest cannot be loaded: it is missing or broken.",
    ),
    (r"Missing required plugins: (?P<name>[^\n]+)", "Plugins of pytest are missing: {name}."),
    (
        r"No module named '?(?P<name>[\w.]+)'?",
        "The module `{name}` is missing: it is neither in the repository nor installed where the tests run.",
    ),
    (
        r"cannot import name '(?P<name>[^'\n]+)' from '(?P<place>[^'\n]+)'",
        "`{name}` cannot be imported from `{place}`: there is no such name in it.",
    ),
    (
        r"async def functions are not natively supported",
        "Async tests cannot run: no plugin for them is installed or loaded (pytest-asyncio, anyio).",
    ),
    (
        r"'(?P<name>[^'\n]+)' not found in `markers` configuration option",
        "The marker `{name}` is not declared under `markers` in the settings of pytest.",
    ),
    (
        r"ERROR: file or directory not found: (?P<name>[^\n]+)",
        "The test command names `{name}`, which is not in the repository.",
    ),
    (
        r"File \"(?P<name>[^\"\n]+)\", line (?P<place>\d+)\n(?:E[^\n]*\n){0,4}?E\s+\w*(?:Syntax|Indentation)Error",
        "{name}, line {place}, is no valid Python.",
    ),
    (
        r"(?m)^ERROR: (?P<name>[^\n]*(?:pytest\.ini|pyproject\.toml|setup\.cfg|tox\.ini)[^\n]*)",
        "The settings of pytest cannot be read: {name}.",
    ),
    (
        r"(?m)^error(?:\[E\d+\])?: (?P<name>[^\n]+)\n\s*--> (?P<place>[^\n]+)",
        "{place} does not compile: {name}.",
    ),
    (r"(?m)^(?P<place>[\w./-]+\.go:\d+:\d+): (?P<name>[^\n]+)", "{place} does not compile: {name}."),
    (
        r"(?m)^\[ERROR\] (?P<place>\S+\.(?:java|kt):\[\d+,\d+\]) (?P<name>[^\n]+)",
        "{place} does not compile: {name}.",
    ),
    (r"[Mm]issing script: \"?(?P<name>[\w:.-]+)", "package.json has no script `{name}`."),
    (
        r"Cannot find module '(?P<name>[^'\n]+)'",
        "The module `{name}` is missing: it is neither in the repository nor installed where the tests run.",
    ),
    (
        r"(?P<name>[^\s:]+): (?:command )?not found",
        "The command `{name}` is not installed where the tests run.",
    ),
)
# What tests want of the machine; {name} is what one of the groups has found.
_BROWSERS = (
    r"(?i)No binary for (\w+) browser",
    r"Could not find (Chrome|Chromium|Firefox)\b",
    r"Executable doesn't exist at \S*?(chrom\w+|firefox|webkit)",
    r"(?i)(Cypress) (?:binary|executable)[^\n]*(?:missing|not found)",
    r"Unable to (?:obtain|locate)[^\n]*?(chromedriver|geckodriver|driver for \w+)",
    r"(?i)cannot find ((?:chrome|firefox) binary)",
)
_SERVICES = (
    r"ECONNREFUSED (?:127\.0\.0\.1|::1|localhost|\[::1\]):(\d+)",
    r"(?i)(?:localhost|127\.0\.0\.1|::1)[^\n]{0,40}?(?:port |:)(\d+)[^\n]{0,40}connection refused",
)
_WANTED = (
    (
        _BROWSERS,
        "Tests want a browser ({name}), which is not where they run: install it there, or give the goal a"
        " `test_command` without these tests.",
    ),
    (
        _SERVICES,
        "Tests want a service at port {name} of this machine, and nothing answers there: let the `test_command`"
        " start it, or leave these tests out.",
    ),
    (
        (r"(@prisma/client) did not initialize yet",),
        "The client of Prisma is not generated: `npx prisma generate` belongs into the goal's `setup`.",
    ),
    (
        (r"Missing staticfiles manifest entry for '([^'\n]+)'",),
        "`{name}` is not collected: let the `test_command` begin with `python manage.py collectstatic --noinput`.",
    ),
    (
        (r"in offline mode and the artifact (\S+) has not been downloaded",),
        "Maven lacks `{name}`, and nothing is fetched any more: let the goal's `setup` run what of Maven the"
        " `test_command` runs.",
    ),
)
_BY_EXIT = {
    137: "The test run was killed from outside; most often memory ran out.",
    139: "The test run crashed with a segmentation fault.",
}
# A traceback below the name of a test; its first line that is not indented says what came of it.
_OF_UNITTEST = (
    r"(?m)^(?:FAIL|ERROR): {name} \((?:\w+\.)*{owner}(?:\.{name})?\)[^\n]*\n(?:[^\n]*\n){{0,3}}?"
    r"Traceback \(most recent call last\):\n(?:[ \t][^\n]*\n|\n)*(?P<said>\S[^\n]*)"
)
_FIXTURE = re.compile(r"fixture '([^'\n]+)' not found")


def cause_of(report: TestReport) -> str:
    """The cause in one sentence; empty for a green run, and where nothing better is known than its problems."""
    if report.green or report.timed_out or report.not_counted:
        return ""
    log = report.log[-_LOG_READ:].decode("utf-8", "replace")
    if report.still_red:
        # The rest of the output speaks of what failed before the goal, too.
        log = "\n".join(line for name in report.failing if (line := _summary_line(name, log)))
    found = (
        _told(log)
        or _missing_fixture(log)
        or _wanted(report, log)
        or _BY_EXIT.get(report.exit_code, "")
        or _first(report, log)
    )
    return " ".join(found.split())[:_CAUSE_MAX]


def _wanted(report: TestReport, log: str) -> str:
    # Where a runner says of each test why it failed, the rest may speak of anything.
    said = "\n".join(line for name in report.failing if (line := _summary_line(name, log))) or log
    for patterns, sentence in _WANTED:
        for pattern in patterns:
            if match := re.search(pattern, said):
                return sentence.format(name=match[1])
    return ""


def _told(log: str) -> str:
    for pattern, sentence in _CAUSES:
        if match := re.search(pattern, log):
            return sentence.format(**{key: value.strip() for key, value in match.groupdict().items()})
    return ""


def _missing_fixture(log: str) -> str:
    match = _FIXTURE.search(log)
    if match is None:
        return ""
    plugin = _BROUGHT_BY.get(match[1])
    whence = f"{plugin}, the plugin that brings it, is not there" if plugin else "nothing defines it"
    return f"The fixture `{match[1]}` is missing: {whence}."


def _first(report: TestReport, log: str) -> str:
    """The first failing test and what it says; further ones are counted."""
    if not report.failing:
        return ""
    first, others = report.failing[0], len(report.failing) - 1
    said = _summary_line(first, log).partition(" - ")[2]
    why = f": {said.strip().rstrip('.')}" if said else ""
    return f"{first} fails{why}{f'; so do {others} more' if others else ''}."


def _summary_line(name: str, log: str) -> str:
    """What pytest says of a test at the end of its output; of unittest's tests the same, in this form."""
    found = re.search(rf"(?m)^(?:FAILED|ERROR) {re.escape(name)} - [^\n]+", log)
    if found:
        return found[0]
    file, *owners = name.split("::")
    said = _OF_UNITTEST.format(name=re.escape(owners[-1]), owner=re.escape(owners[-2])) if len(owners) > 1 else ""
    told = re.search(said, log) if said and file.endswith(".py") else None
    return f"FAILED {name} - {told['said']}" if told else ""
