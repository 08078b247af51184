"""Finds code that decides how test results are reported, instead of testing something."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from agenthub_events.catalogue.values import Finding, Severity
from agenthub_worker.evidence.source import dotted
from agenthub_worker.evidence.syntax import parsed, why_unread

# What these hooks do shows in no report, for they write it; that tests are left out or skipped does show.
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

# What makes a collected test another one, or its result another result, when a hook sets it.
_OF_A_TEST = frozenset({"obj", "_obj", "runtest", "outcome", "longrepr", "excinfo", "wasxfail"})

_Place = tuple[str, int, Severity]


def tampering_in(path: str, text: str, before: str) -> Iterator[Finding]:
    """Places in a changed file of the tests that steer pytest itself and were not in its text `before`."""
    if (why := why_unread(text)) and text != before:
        message = f"This file {why}, so nobody knows what it does to the tests: write it in plainer Python."
        return iter([Finding(file=path, line=1, severity="high", message=message, source="tests")])
    known = {name for name, _, _ in _steering(before)}
    return (_finding(path, place) for place in _steering(text) if place[0] not in known)


def hooks_in(path: str, text: str, before: str) -> Iterator[Finding]:
    """Hooks in any other changed file that would decide about results, were it loaded as a plugin of pytest."""
    known = {name for name, _, _ in _hooks(before)}
    places = (place for place in _hooks(text) if place[2] == "high" and place[0] not in known)
    return (_finding(path, place) for place in places)


def _finding(path: str, place: _Place) -> Finding:
    name, line, severity = place
    message = f"`{name}` decides how test results are collected or reported: a change must not bring that."
    return Finding(file=path, line=line, severity=severity, message=message, source="tests")


def _steering(text: str) -> list[_Place]:
    return [found for node in _nodes(text) for found in (*_naming(node), *_steering_of(node))]


def _hooks(text: str) -> list[_Place]:
    if "pytest_" not in text:
        return []
    return [found for node in _nodes(text) for found in _naming(node)]


def _nodes(text: str) -> Iterator[ast.AST]:
    module = parsed(text)
    return iter(()) if module is None else ast.walk(module)


def _naming(node: ast.AST) -> Iterator[_Place]:
    """A hook under its name: as a function, a variable, an import, or a text (of `hookimpl(specname=…)`)."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            names, line = [name], node.lineno
        case ast.Assign(targets=targets):
            names, line = [dotted(target) for target in targets], node.lineno
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            names, line = [alias.asname or alias.name for alias in aliases], node.lineno
        case ast.Constant(value=str(text)):
            names, line = [text], node.lineno
        case _:
            return
    if isinstance(node, ast.FunctionDef) and node.name.startswith("pytest_"):
        yield from _replacing(node)
    yield from ((name, line, _REPORTING[name]) for name in names if name in _REPORTING)


def _replacing(hook: ast.FunctionDef) -> Iterator[_Place]:
    """A hook that gives a test, or the report of one, a new content."""
    for node in ast.walk(hook):
        match node:
            case ast.Attribute(attr=name, ctx=ast.Store()):
                found = name
            case ast.Call(func=ast.Name(id="setattr"), args=[_, ast.Constant(value=str(name)), *_]):
                found = name
            case _:
                continue
        if found in _OF_A_TEST:
            yield f"{hook.name}: {found}", node.lineno, "high"


def _steering_of(node: ast.AST) -> Iterator[_Place]:
    match node:
        case ast.Constant(value=str(text)) if word := next((w for w in _REPORT_WORDS if w in text), ""):
            yield word, node.lineno, "high"
        case ast.arg(arg="record_xml_attribute"):
            yield "record_xml_attribute", node.lineno, "high"
        case ast.Attribute(attr="xmlpath"):
            yield "xmlpath", node.lineno, "high"
        case ast.Call() if dotted(node) in _EXITS:
            yield dotted(node), node.lineno, "high"
        case ast.Assign(targets=targets):
            for target in map(dotted, targets):
                if target.startswith(_PATCHED) or target.endswith(".exitstatus"):
                    yield target, node.lineno, "high"
        case _:
            return
