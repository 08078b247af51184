"""What the session of `noxfile.py` that runs the tests says, read without running it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from agenthub_worker.automation.automation import Automation, folder_below, split_needs

NOXFILE = "noxfile.py"
_RUNS = ("run", "run_always")


def nox_of(text: str) -> Automation | None:
    """The first session that runs tests, as far as its words are plain texts; None: there is none."""
    try:
        return _of_module(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _of_module(module: ast.Module) -> Automation | None:
    sessions = [node for node in module.body if isinstance(node, ast.FunctionDef) and _is_session(node)]
    found = (_of_session(session) for session in sorted(sessions, key=lambda node: "test" not in node.name))
    return next((one for one in found if one.runs_tests), None)


def _is_session(node: ast.FunctionDef) -> bool:
    names = (part.func if isinstance(part, ast.Call) else part for part in node.decorator_list)
    return any(ast.unparse(name) in ("nox.session", "session", "nox_poetry.session") for name in names)


def _of_session(session: ast.FunctionDef) -> Automation:
    called = session.args.args[0].arg if session.args.args else "session"
    needs, extras = list[str](), list[str]()
    commands, variables, folder = list[tuple[str, ...]](), dict[str, str](), ""
    for call in _calls(session, called):
        words = _words(call)
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name == "install" and words is not None:
            more, own = split_needs(words)
            needs += more
            extras += own
        elif name == "chdir" and words:
            folder = folder_below(words[0]) or folder
        elif name in _RUNS and words and "install" not in words[:4]:
            commands.append(tuple(words))
            variables |= _variables(call)
    return Automation(
        needs=tuple(needs), extras=tuple(extras), commands=tuple(commands), variables=variables, folder=folder
    )


def _calls(session: ast.FunctionDef, called: str) -> Iterator[ast.Call]:
    nodes = (node for node in ast.walk(session) if isinstance(node, ast.Call))
    own = (
        node for node in nodes if isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == called
    )
    return iter(sorted(own, key=lambda node: (node.lineno, node.col_offset)))


def _words(call: ast.Call) -> list[str] | None:
    """The plain texts among the arguments; None where a word cannot be read. What people add comes later."""
    found = []
    for argument in call.args:
        if isinstance(argument, ast.Starred):
            continue
        if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
            return None
        found.append(argument.value)
    return found


def _variables(call: ast.Call) -> dict[str, str]:
    given = next((word.value for word in call.keywords if word.arg == "env"), None)
    if not isinstance(given, ast.Dict):
        return {}
    pairs = zip(given.keys, given.values, strict=True)
    return {
        key.value: value.value
        for key, value in pairs
        if isinstance(key, ast.Constant)
        and isinstance(value, ast.Constant)
        and isinstance(key.value, str)
        and isinstance(value.value, str)
    }
