"""Finds code in test files that decides how results are reported, instead of testing something."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from agenthub_events.catalogue.values import Finding, Severity
from agenthub_worker.evidence.source import dotted

_REPORTING: dict[str, Severity] = {
    "pytest_runtest_makereport": "high",
    "pytest_runtest_logreport": "high",
    "pytest_runtest_protocol": "high",
    "pytest_runtest_call": "high",
    "pytest_pyfunc_call": "high",
    "pytest_report_teststatus": "high",
    "pytest_sessionfinish": "high",
    "pytest_cmdline_main": "high",
    "pytest_runtestloop": "high",
    "pytest_unconfigure": "medium",
    "pytest_collection_modifyitems": "medium",
    "pytest_ignore_collect": "medium",
    "collect_ignore": "medium",
    "collect_ignore_glob": "medium",
}
_EXITS = frozenset({"os._exit", "pytest.exit", "os.abort"})
_PATCHED = ("_pytest.", "pytest.")
_REPORT_WORDS = ("junitxml", "PYTEST_ADDOPTS", "COVERAGE_FILE")


def tampering_in(path: str, text: str, before: str) -> Iterator[Finding]:
    """Places in a changed file that steer pytest itself and were not in its text `before`."""
    known = {name for name, _, _ in _steering(before)}
    for name, line, severity in _steering(text):
        if name not in known:
            message = f"`{name}` decides how test results are collected or reported: tests must not."
            yield Finding(file=path, line=line, severity=severity, message=message, source="tests")


def _steering(text: str) -> list[tuple[str, int, Severity]]:
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return []
    return [found for node in ast.walk(module) for found in _steering_of(node)]


def _steering_of(node: ast.AST) -> Iterator[tuple[str, int, Severity]]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) if name in _REPORTING:
            yield name, node.lineno, _REPORTING[name]
        case ast.Constant(value=str(text)) if word := next((w for w in _REPORT_WORDS if w in text), ""):
            yield word, node.lineno, "high"
        case ast.Attribute(attr="xmlpath"):
            yield "xmlpath", node.lineno, "high"
        case ast.Call() if dotted(node) in _EXITS:
            yield dotted(node), node.lineno, "high"
        case ast.Assign(targets=targets):
            for target in targets:
                yield from _assignment(dotted(target), node.lineno)
        case _:
            return


def _assignment(name: str, line: int) -> Iterator[tuple[str, int, Severity]]:
    if name in _REPORTING:
        yield name, line, _REPORTING[name]
    elif name.startswith(_PATCHED) or name.endswith(".exitstatus"):
        yield name, line, "high"
