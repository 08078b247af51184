"""Reads test functions out of source text, without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from agenthub_worker.evidence.layout import is_test_file
from agenthub_worker.evidence.syntax import parsed

_CONDITIONAL_SKIPS = frozenset({"skipif", "skipIf", "skipUnless"})
_STOPS = frozenset({"pytest.skip", "pytest.xfail", "self.skipTest"})
_CHECK_CALLS = frozenset({"raises", "warns", "fail", "deprecated_call", "approx", "check_call"})

_Definition = ast.FunctionDef | ast.AsyncFunctionDef


class TestFunction(msgspec.Struct, frozen=True, kw_only=True):
    """One test as written: `checks` counts its assertions, `skipped` is True when it can never run.

    `code` is the same for two tests that differ in name and layout alone.
    """

    __test__ = False

    file: str
    qualified: str
    checks: int
    skipped: bool
    code: str

    @property
    def id(self) -> str:
        """Its pytest id, without parameters."""
        return f"{self.file}::{self.qualified}"


def tests_in(files: Mapping[str, str]) -> dict[str, TestFunction]:
    """The tests that are written in `files` (path to text), by id."""
    return {
        function.id: function
        for path in sorted(files)
        if is_test_file(path)
        for function in functions_in(path, files[path])
    }


def successors(before: Mapping[str, TestFunction], after: Mapping[str, TestFunction]) -> dict[str, str]:
    """What became of tests that are gone: the new test of the same name in another file, or of the same code."""
    fresh = [after[name] for name in after.keys() - before.keys()]
    by_name = {function.qualified: function.id for function in fresh}
    by_code = {function.code: function.id for function in fresh if function.checks}
    found = {}
    for name in before.keys() - after.keys():
        successor = by_name.get(before[name].qualified) or by_code.get(before[name].code)
        if successor is not None:
            found[name] = successor
    return found


def plain_id(name: str) -> str:
    """A test's id without its parameters."""
    return name.split("[", 1)[0]


def functions_in(path: str, text: str) -> list[TestFunction]:
    """The tests that pytest would find in a file by its own rules; none when it is not read (see `syntax`)."""
    module = parsed(text)
    if module is None:
        return []
    return list(_in_body(path, module.body, "", _body_skips(module.body)))


def dotted(node: ast.AST) -> str:
    """`a.b.c` for a chain of names, the callee's for a call, else an empty text."""
    if isinstance(node, ast.Call):
        return dotted(node.func)
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else ""
    return node.id if isinstance(node, ast.Name) else ""


def _in_body(path: str, body: Sequence[ast.stmt], prefix: str, skipped: bool) -> Iterator[TestFunction]:
    for node in body:
        if isinstance(node, _Definition) and node.name.startswith("test") and not _is_fixture(node):
            yield TestFunction(
                file=path,
                qualified=f"{prefix}{node.name}",
                checks=sum(_is_check(inner) for inner in ast.walk(node)),
                skipped=skipped or _decorated_away(node.decorator_list) or _stops_at_once(node),
                code="\n".join(map(ast.dump, (node.args, *node.body))),
            )
        elif isinstance(node, ast.ClassDef) and not prefix and _is_test_class(node):
            away = skipped or _decorated_away(node.decorator_list) or _body_skips(node.body)
            yield from _in_body(path, node.body, f"{node.name}::", away)


def _is_test_class(node: ast.ClassDef) -> bool:
    if any(isinstance(item, _Definition) and item.name == "__init__" for item in node.body):
        return False
    if any(_assigns(item, "__test__") for item in node.body):
        return False
    return node.name.startswith("Test") or any(dotted(base).endswith("TestCase") for base in node.bases)


def _is_fixture(node: _Definition) -> bool:
    return any(dotted(item).endswith("fixture") for item in node.decorator_list)


def _decorated_away(decorators: Sequence[ast.expr]) -> bool:
    return any(_skips_always(item) for item in decorators)


def _skips_always(mark: ast.expr) -> bool:
    """Whether a mark or decorator keeps a test from running (or from counting) whatever the machine is."""
    name = dotted(mark).rsplit(".", 1)[-1]
    arguments = mark.args if isinstance(mark, ast.Call) else []
    if name == "skip":
        return True
    if name == "xfail":
        return not arguments or _constant(arguments[0])
    return name in _CONDITIONAL_SKIPS and bool(arguments) and _constant(arguments[0])


def _constant(node: ast.expr) -> bool:
    """Whether a condition looks at nothing; a text is one that pytest evaluates later."""
    if isinstance(node, ast.Constant):
        return not isinstance(node.value, str)
    return not any(isinstance(inner, ast.Name | ast.Attribute | ast.Call) for inner in ast.walk(node))


def _stops_at_once(node: _Definition) -> bool:
    """Whether the body leaves by a skip before anything is tried."""
    for statement in node.body:
        if isinstance(statement, ast.Expr) and dotted(statement.value) in _STOPS:
            return True
        if isinstance(statement, ast.Return):
            return True
        if not _is_docstring(statement):
            return False
    return False


def _body_skips(body: Sequence[ast.stmt]) -> bool:
    """Whether a module or class marks everything in it as skipped."""
    for node in body:
        if isinstance(node, ast.Expr) and dotted(node.value) == "pytest.skip":
            return True
        if isinstance(node, ast.Assign) and _assigns(node, "pytestmark"):
            marks = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
            if any(_skips_always(mark) for mark in marks):
                return True
    return False


def _assigns(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.Assign) and any(dotted(target) == name for target in node.targets)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _holds_always(test: ast.expr) -> bool:
    """Whether an assertion looks at nothing: a constant, a tuple with its message, `x or True`."""
    match test:
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            return bool(elts)
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(map(_holds_always, values))
        case ast.BoolOp(values=values):
            return all(map(_holds_always, values))
        case ast.Compare(left=left, comparators=[right]):
            return ast.dump(left) == ast.dump(right) and not _calls(left)
    return not any(isinstance(inner, ast.Name | ast.Attribute | ast.Call) for inner in ast.walk(test))


def _calls(node: ast.expr) -> bool:
    return any(isinstance(inner, ast.Call) for inner in ast.walk(node))


def _is_check(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return not _holds_always(node.test)
    if not isinstance(node, ast.Call):
        return False
    name = dotted(node).rsplit(".", 1)[-1]
    return name in _CHECK_CALLS or name.startswith("assert")
