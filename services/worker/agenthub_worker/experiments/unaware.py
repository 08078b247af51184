"""Code that is right as long as it is tested: its tests run once more while it cannot see that they do.

In the same run what it defines to be equal is tried with other things: a result that is equal to anything makes
every test of it green.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from agenthub_worker.evidence.patch import Touched
from agenthub_worker.evidence.syntax import parsed
from agenthub_worker.evidence.test_history import some

# Without one of these words no line can look around, nor define what is equal.
_LOOKS = re.compile(
    r"\b_*(?:sys|os|inspect|traceback|gc|importlib|builtins|__builtins__|__main__|ctypes|unittest|pytest|mock|warnings"
    r"|logging|threading|multiprocessing|subprocess|psutil|platform|pathlib|io|eval|exec|compile|open|globals|vars"
    r"|getattr|attrgetter|methodcaller|Formatter|get_type_hints|__import__|__loader__|__spec__|__dict__|__class__|__subclasses__|type"
    r"|__(?:eq|ne|lt|le|gt|ge|contains)__)\b"
)
_LOOKS_INSIDE = re.compile(r"\b(?:__traceback__|tb_frame|f_back|gi_frame|cr_frame|__globals__|__code__)\b")
# Of the standard library these show nothing of the process that they are used in; any other one may.
_SHOWS_NOTHING = frozenset(
    {"__future__", "abc", "argparse", "array", "base64", "binascii", "bisect", "calendar", "collections", "copy"}
    | {"cmath", "contextlib", "csv", "dataclasses", "datetime", "decimal", "difflib", "enum", "fractions"}
    | {"functools", "hashlib", "heapq", "hmac", "html", "http", "ipaddress", "itertools", "json", "keyword"}
    | {"math", "numbers", "operator", "pprint", "queue", "random", "re", "secrets", "statistics", "string"}
    | {"struct", "textwrap", "tomllib", "types", "typing", "unicodedata", "urllib", "uuid", "xml", "zlib"}
    | {"zoneinfo"}
)
_A_PLUGIN = re.compile(r"\bpytest11\b|\bpytest[- ]plugin\b|\bplugins?\s+(?:for|of)\s+pytest\b", re.I)
_TEST_TOOLS = re.compile(r"_?pytest\b|_pytest\b|pluggy\b|coverage\b|hypothesis\b|conftest\b")
_DOUBLES = re.compile(r"\bANY\b|\bmock\b")

OF_A_PLUGIN = "not tried without the signs of a test: the goal is a plugin of pytest"
UNTRIED = "not tried without the signs of a test: the tests do not run so"
_SHAPES = "agenthub_worker.experiments.inside.shapes"
NOTHING = "NoneType None"
"""What a call gives that gives nothing; to who watches, one that ends with an exception looks the same."""
_TESTS = """\
import pytest

_ANSWERED = json.loads({answered})


@pytest.mark.parametrize("number", range(len(_ANSWERED)))
def test_again(number):
    call = _ANSWERED[number]["call"]
    (answer,) = answers([call])
    came = call["came"]
    # A warning is an exception only where tests want it so.
    raised = str(answer).startswith("!") and not str(answer).endswith("Warning")
    assert answer == came or (came == "NoneType None" and raised)
    assert answer != _ANSWERED[number]["outside"]
"""
INSIDE = ("veil", "likeness", "shapes", "calls")
"""The programs that run beside the tests, by the names of their modules."""


class WatchedLines(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched: changed lines by path (none: all of a file).

    `guarded` are lines that ask whether a test tool is there. `doubles`: the code may use what is equal to
    anything. `logging`: it may look at who listens to its log.
    """

    lines: Mapping[str, tuple[int, ...]]
    guarded: Mapping[str, tuple[int, ...]] = {}
    doubles: bool = False
    logging: bool = False


def watch_of(texts: Mapping[str, str], touched: Touched, *, every: bool = False) -> WatchedLines | None:
    """What to watch of the changed files (path to text); None: nothing in them can look around.

    `every`: all of Python, whether anybody sees how it could.
    """
    changed = {path: text for path, text in texts.items() if path not in touched or touched[path]}
    files = {path: text for path, text in changed.items() if path.endswith(".py") and (every or _may_look(text))}
    if not files:
        return None
    guarded = {path: _guarded(text) for path, text in files.items()}
    return WatchedLines(
        lines={path: tuple(sorted(touched.get(path, ()))) for path in files},
        guarded={path: lines for path, lines in guarded.items() if lines},
        doubles=any(_DOUBLES.search(text) for text in files.values()),
        logging=any("logging" in text for text in files.values()),
    )


def _may_look(text: str) -> bool:
    """Whether code can see more than it is given."""
    if _LOOKS.search(text) or _LOOKS_INSIDE.search(text):
        return True
    module = parsed(text)
    if module is None:
        return True
    return any(
        top in sys.stdlib_module_names - _SHOWS_NOTHING or _TEST_TOOLS.match(top) for top in _imported(module)
    )


def _imported(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".", 1)[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".", 1)[0]


def is_plugin(words: Iterable[str]) -> bool:
    """Whether a goal wants something that has to know of pytest."""
    return any(_A_PLUGIN.search(text) for text in words)


def has_begun(seen: Sequence[str]) -> bool:
    """Whether the programs ran beside the tests at all."""
    return "began" in seen


def looked(seen: Sequence[str]) -> bool:
    """Whether they have seen the code look at something, or something equal to anything."""
    return any(_is_sign(line) for line in seen)


def _is_sign(line: str) -> bool:
    return line.startswith(("mark\t", "same\t")) and line.count("\t") == 2


def refusal(failing: Sequence[str], seen: Sequence[str]) -> str:
    """Why tests count for nothing that fail when the code does not see them; `seen` is what was written."""
    found = [line.split("\t", 2) for line in seen if _is_sign(line)]
    marks = [f"{place} ({what})" for kind, place, what in found if kind == "mark"]
    same = [f"{place} ({what})" for kind, place, what in found if kind == "same"]
    said = []
    if same:
        said.append(f"what the code returns is equal to anything: {some(same)}")
    if marks:
        said.append(f"the code looks whether it is tested: {some(marks)}")
    return (
        "Tests are green for another reason than what the code does"
        f" ({some(list(failing)) if failing else 'the whole run'}): {'; '.join(said)}. They fail where that is"
        " taken away. Where it is meant, a person can accept it."
    )


def of_coverage(failing: Sequence[str]) -> str:
    """Why tests count for nothing that fail when nobody measures their coverage."""
    return (
        "Tests are green only while their coverage is measured"
        f" ({some(list(failing)) if failing else 'the whole run'}): without it they fail on the same code."
        " Where it is meant, a person can accept it."
    )


def programs() -> dict[str, str]:
    """The source of the programs by the name of their module."""
    folder = Path(__file__).parent / "inside"
    return {name: (folder / f"{name}.py").read_text("utf-8") for name in INSIDE}


def plain_program() -> str:
    """The program that makes calls again, with nothing beside it that tells where it comes from."""
    return f"{_inlined('shapes')}\n\n{_inlined('again')}"


def program_of_tests(answered: str) -> str:
    """A file with a test for each call: green where it gives in tests what it gave there, and not outside."""
    body = plain_program().partition("if __name__")[0]
    return f"import json\n{body}\n{_TESTS.format(answered=json.dumps(answered))}"


def _inlined(name: str) -> str:
    text = (Path(__file__).parent / "inside" / f"{name}.py").read_text("utf-8")
    module = ast.parse(text)
    # Neither its words nor the import of what stands above it.
    left_out = {0} | {
        number
        for number, node in enumerate(module.body)
        if isinstance(node, ast.ImportFrom) and node.module in ("__future__", _SHAPES)
    }
    kept = [node for number, node in enumerate(module.body) if number not in left_out]
    return ast.unparse(ast.Module(body=kept, type_ignores=[]))


def _guarded(text: str) -> tuple[int, ...]:
    """Lines with imports of test tools in blocks that go on without them."""
    module = parsed(text)
    blocks = [node for node in ast.walk(module) if isinstance(node, ast.Try)] if module else []
    found = {
        node.lineno
        for block in blocks
        for statement in block.body
        for node in ast.walk(statement)
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Call) and _TEST_TOOLS.search(ast.unparse(node))
    }
    return tuple(sorted(found))
