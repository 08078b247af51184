"""What a change must not bring into the tests of other languages, as far as it can be read cheaply."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from agenthub_events.catalogue.values import Finding
from agenthub_worker.automation.nox import NOXFILE
from agenthub_worker.evidence.layout import belongs_to_tests, sets_tests
from agenthub_worker.experiments.inline_tests import lines_of_tests
from agenthub_worker.suites.test_files import is_go_test, is_java_test, is_node_test, is_rust_test

_ENDS = "decides how the run of the tests ends"
_NODE = (
    (r"\b(?:test|it|describe|suite)\.only\s*\(|\bonly\s*:\s*true\b", "leaves out every other test"),
    (
        r"\bprocess\.(?:exit|reallyExit|abort)\s*\(|\bprocess\.exitCode\s*=",
        _ENDS,
    ),
)
_GO = ((r"\bos\.Exit\s*\(\s*0\s*\)|\bsyscall\.Exit\b", _ENDS),)
_RUST = ((r"\bprocess::(?:exit|abort)\s*\(", _ENDS),)
_JAVA = (
    (r"\bSystem\.exit\s*\(|\.halt\s*\(", _ENDS),
    (r"surefire-reports", "writes the report of the tests, or reads it"),
)
_CARGO = (
    (
        r"^\[(?:lib|\[test\]|\[bin\])\](?:\n(?!\[)[^\n]*)*?\n\s*(?:harness|test)\s*=\s*false|^\s*autotests\s*=\s*false",
        "takes tests out of the run",
    ),
)
_POM = (
    (
        r"<(?:skipTests|testFailureIgnore|maven\.test\.skip|maven\.test\.failure\.ignore)>\s*true\s*<",
        "lets the build pass without its tests",
    ),
)
_AUTOMATION = (
    (
        r"\bpytest\b[^\n#]*(?:\s|['\"])(?:-k|-m|--deselect|--ignore(?:-glob)?)(?=[\s='\",])",
        "leaves out tests",
    ),
)
_PACKAGE = (
    (
        r"\"(?:pre|post)?test\"\s*:\s*\"[^\"]*"
        r"(?:\|\|\s*(?:true|:|exit 0|echo)|;\s*(?:true|exit 0|echo\b[^\"]*)\")",
        "lets the tests pass whatever they show",
    ),
    (r"\"test\"\s*:\s*\"\s*(?:true|:|exit 0|echo\b[^\"&|;]*(?:&&\s*exit 0)?)\s*\"", "runs no test"),
)
# Of code under test: what is right as long as it is tested.
_KNOWS = "asks whether it is tested"
_AWARE = {
    (".go",): (
        (r"\btesting\.Testing\s*\(|\bflag\.Lookup\(\s*[\"`]test\.|[\"`](?:-?test\.v|\.test)[\"`]", _KNOWS),
    ),
    (".js", ".cjs", ".mjs", ".jsx", ".ts", ".cts", ".mts", ".tsx"): (
        (
            r"\b(?:NODE_TEST_CONTEXT|JEST_WORKER_ID|VITEST_WORKER_ID|VITEST_POOL_ID)\b"
            r"|\btypeof\s+(?:globalThis\.|global\.)?(?:jest|describe|it|expect|vi)\b",
            _KNOWS,
        ),
    ),
    (".rs",): (
        (
            r"\bcfg!\s*\(\s*(?:not\s*\(\s*)?test\b"
            r"|#\[cfg\(not\(test\)\)\]\s*(?:pub(?:\([^)]*\))?\s+)?(?:fn|const|static|let|if|return|\{)",
            _KNOWS,
        ),
    ),
    (".java", ".kt"): ((r"\"[^\"\n]*(?:junit|surefire)[^\"\n]*\"", _KNOWS),),
}
_EVERYWHERE = ((r"AGENTHUB_(?:REPORTS|SHIMS|INSIDE|MEASURED)\b", "reaches for the reports of the tests"),)


def steering_of(before: Mapping[str, str], now: Mapping[str, str]) -> list[Finding]:
    """Places in changed files (path to text) that steer the runs of tests and were not there before."""
    return [
        found
        for path in sorted(now)
        if now[path] != before.get(path) and (not path.endswith(".py") or path == NOXFILE)
        for found in _in_file(path, before.get(path, ""), now[path])
    ]


def sentences(findings: list[Finding]) -> list[str]:
    """Why a gate must not pass with them."""
    return [f"{found.file}:{found.line}: {found.message}" for found in findings]


def _in_file(path: str, before: str, now: str) -> Iterator[Finding]:
    for pattern, what in _rules(path):
        rule = re.compile(pattern, re.M)
        known = [found[0] for found in rule.finditer(before)]
        for found in rule.finditer(now):
            if found[0] in known:
                known.remove(found[0])
                continue
            line = now.count("\n", 0, found.start()) + 1
            is_tested = what != _KNOWS
            if path.endswith(".rs") and not is_rust_test(path) and (line in lines_of_tests(now)) != is_tested:
                continue
            said = " ".join(found[0].split())[:80]
            message = f"`{said}` {what}: a change must not bring that."
            yield Finding(file=path, line=line, severity="high", message=message, source="tests")


def _rules(path: str) -> tuple[tuple[str, str], ...]:
    name = path.rsplit("/", 1)[-1]
    by_name = {"Cargo.toml": _CARGO, "pom.xml": _POM, "package.json": _PACKAGE}
    by_name |= dict.fromkeys(("tox.ini", "tox.toml", NOXFILE), _AUTOMATION)
    if name in by_name:
        return by_name[name]
    for fits, rules in ((is_go_test, _GO), (is_node_test, _NODE), (is_java_test, _JAVA)):
        if fits(path):
            return (*rules, *_EVERYWHERE)
    aware = [] if belongs_to_tests(path) or sets_tests(path) else _aware(path)
    return (*(_RUST if path.endswith(".rs") else ()), *aware, *_EVERYWHERE)


def _aware(path: str) -> list[tuple[str, str]]:
    return [rule for suffixes, rules in _AWARE.items() if path.endswith(suffixes) for rule in rules]
