"""Small ways to break a line of code. Python is broken at its syntax tree, other languages by their text.

The libraries for this (cosmic-ray, mutmut) bring a database, an HTTP client or a terminal interface with them.
"""

from __future__ import annotations

import ast
import bisect
import io
import itertools
import re
import tokenize
from collections.abc import Iterator, Sequence, Set
from pathlib import PurePosixPath
from typing import NamedTuple

import msgspec

from agenthub_worker.evidence.syntax import is_guard

_COMPARE = {
    ast.Eq: "!=",
    ast.NotEq: "==",
    ast.Lt: ">=",
    ast.LtE: ">",
    ast.Gt: "<=",
    ast.GtE: "<",
    ast.In: "not in",
    ast.NotIn: "in",
    ast.Is: "is not",
    ast.IsNot: "is",
}
_BINARY = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "+",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "+",
    ast.Pow: "*",
    ast.BitAnd: "|",
    ast.BitOr: "&",
    ast.LShift: ">>",
    ast.RShift: "<<",
}
_TEXTUAL = (
    (r"===", "!=="),
    (r"!==", "==="),
    (r"(?<![=!<>])==(?!=)", "!="),
    (r"!=(?!=)", "=="),
    (r"<=", ">"),
    (r">=", "<"),
    (r"(?<=\s)<(?=\s)", ">="),
    (r"(?<=[\s\w)])(?<![-=])>(?=\s)", "<="),
    (r"&&", "||"),
    (r"\|\|", "&&"),
    (r"(?<=\s)\+(?=\s)", "-"),
    (r"(?<=\s)-(?=\s)", "+"),
    (r"(?<=\s)\*(?=\s)", "+"),
    (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"),
)
_COMMENT = re.compile(r"^\s*(?://|#|\*|/\*|--)")
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`")
OTHER_LANGUAGES = frozenset(
    {".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".go", ".rs", ".java", ".kt", ".scala", ".swift", ".dart"}
    | {".c", ".cc", ".cpp", ".h", ".hpp", ".cs", ".php", ".rb", ".ex", ".exs", ".zig"}
)
_BYTES_MAX = 1 << 20
# Nobody writes longer ones, and a quote that nobody closes is looked for from each of its places.
_ROW_MAX = 500
# Each mutant is a text of its own.
_EDITS_MIN, _EDITS_MAX = 20, 400
_TEXTS_BYTES = 20 << 20
# A text with a definition in it is a program in disguise.
_DEFINES = re.compile(r"^[ \t]*(?:def|class)[ \t]+\w+[^\n]*:|\blambda\b[^\n]*:", re.M)


TELLING, WEAK, LAST = range(3)


class Mutant(msgspec.Struct, frozen=True, kw_only=True):
    """One way to break a file: in line `line` (from 1), `old` becomes `new`; `text` is the whole file then.

    `rank` says how much it shows when nothing notices it: `TELLING`, `WEAK` for a constant, that other code may
    well not depend on, `LAST` for what mostly ends in an exception, which any test notices. `guarded`: in a block
    for type checkers or scripts, which mostly no test runs.
    """

    path: str
    line: int
    old: str
    new: str
    text: str
    rank: int = 0
    guarded: bool = False

    def __str__(self) -> str:
        return f"{self.path}:{self.line} `{_short(self.old)}` -> `{_short(self.new)}`"


def mutants_of(path: str, text: str, lines: Set[int] | None) -> list[Mutant]:
    """The ways to break `lines` (None: any) of a file, in their order; none when it cannot be read."""
    if len(text) > _BYTES_MAX:
        return []
    suffix = PurePosixPath(path).suffix
    if suffix == ".py":
        plain = text.replace("\r\n", "\n")
        # To Python a lone return ends a line, to git it does not: nobody can tell which of its lines are touched.
        return list(_of_python(path, plain.replace("\r", "\n"), None if "\r" in plain else lines))
    return list(_of_text(path, text, lines)) if suffix in OTHER_LANGUAGES else []


class _Edit(msgspec.Struct, frozen=True):
    start: tuple[int, int]
    end: tuple[int, int]
    new: str
    rank: int = TELLING
    guarded: bool = False


def _of_python(path: str, text: str, lines: Set[int] | None) -> Iterator[Mutant]:
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    rows = text.split("\n")
    if not text.isascii():
        _count_characters(module, rows)
    wanted = [
        edit
        for edit in _edits(module, text)
        if lines is None or not lines.isdisjoint(range(edit.start[0], edit.end[0] + 1))
    ]
    for edit in sorted(_spread(wanted, text), key=lambda edit: (edit.start, edit.new)):
        broken, old = _apply(rows, edit)
        yield Mutant(
            path=path,
            line=edit.start[0],
            old=old,
            new=edit.new,
            text=broken,
            rank=edit.rank,
            guarded=edit.guarded,
        )


def _spread(edits: Sequence[_Edit], text: str) -> list[_Edit]:
    """As many edits as are read and kept at a reasonable cost, the telling ones first, from all over the file."""
    room = max(_EDITS_MIN, min(_EDITS_MAX, _TEXTS_BYTES // (len(text) + 1)))
    found: list[_Edit] = []
    for rank in (TELLING, WEAK, LAST):
        own = [edit for edit in edits if edit.rank == rank]
        count = min(len(own), room - len(found))
        found += [own[number * len(own) // count] for number in range(count)]
    return found


def _count_characters(module: ast.Module, rows: Sequence[str]) -> None:
    """Turn the places of the tree, which count bytes, into such that count characters."""
    for node in ast.walk(module):
        if isinstance(node, ast.expr | ast.stmt):
            node.col_offset = _characters(rows[node.lineno - 1], node.col_offset)
            if node.end_lineno is not None and node.end_col_offset is not None:
                node.end_col_offset = _characters(rows[node.end_lineno - 1], node.end_col_offset)


def _characters(row: str, count: int) -> int:
    return count if row.isascii() else len(row.encode()[:count].decode())


def _edits(module: ast.Module, text: str) -> Iterator[_Edit]:
    operators = _operator_tokens(text)
    left: list[tuple[ast.AST, bool]] = [(node, False) for node in module.body]
    while left:
        node, guarded = left.pop()
        if isinstance(node, ast.If) and is_guard(node.test):
            left += [(child, True) for child in node.body] + [(child, guarded) for child in node.orelse]
            continue
        for edit in _edits_of(node, operators):
            yield msgspec.structs.replace(edit, guarded=guarded)
        left.extend((child, guarded) for child in _children(node))


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """What can be broken in a node: no annotation, no decorator, and nothing in an f-string, whose places lie."""
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        return
    skipped = {"annotation", "returns", "decorator_list", "type_params"}
    for name, value in ast.iter_fields(node):
        if name not in skipped:
            yield from (
                item for item in (value if isinstance(value, list) else [value]) if isinstance(item, ast.AST)
            )


class _Token(NamedTuple):
    start: tuple[int, int]
    end: tuple[int, int]


_Tokens = Sequence[_Token]
"""Operators and names without brackets, in their order."""


def _operator_tokens(text: str) -> _Tokens:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return []
    wanted = (token for token in tokens if token.type in (tokenize.OP, tokenize.NAME) and token.string not in "()")
    return [_Token(token.start, token.end) for token in wanted]


def _edits_of(node: ast.AST, tokens: _Tokens) -> Iterator[_Edit]:
    yield from _of_operator(node, tokens)
    yield from _of_statement(node)
    yield from _of_constant(node)
    yield from _of_program(node)


def _of_operator(node: ast.AST, tokens: _Tokens) -> Iterator[_Edit]:
    match node:
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            for before, operator, after in zip([left, *comparators], ops, comparators, strict=False):
                yield from _between(before, after, tokens, _COMPARE.get(type(operator)))
        case ast.BinOp(left=before, op=operator, right=after):
            yield from _between(before, after, tokens, _BINARY.get(type(operator)))
        case ast.BoolOp(op=operator, values=values):
            for before, after in itertools.pairwise(values):
                yield from _between(before, after, tokens, "or" if isinstance(operator, ast.And) else "and")
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield _Edit(_start(node), _start(operand), "")
        case ast.AugAssign(target=before, op=operator, value=after):
            new = _BINARY.get(type(operator))
            yield from _between(before, after, tokens, f"{new}=" if new else None)


def _of_statement(node: ast.AST) -> Iterator[_Edit]:
    match node:
        case ast.Return(value=ast.expr() as value) if not _is_none(value):
            yield _Edit(_start(value), _end(value), "None")
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp | ast.NamedExpr | ast.Constant):
                yield _Edit(_start(test), _start(test), "not ")
        case ast.Expr(value=ast.Call()) | ast.Raise():
            yield _Edit(_start(node), _end(node), "pass")
        case ast.Expr(value=ast.Await() | ast.Yield() | ast.YieldFrom()) | ast.Delete():
            yield _Edit(_start(node), _end(node), "pass", LAST)
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value) | ast.Lambda(body=value):
            if not isinstance(value, ast.Constant):
                yield _Edit(_start(value), _end(value), "None", LAST)
        case ast.For(iter=value) | ast.AsyncFor(iter=value):
            yield _Edit(_start(value), _end(value), "()", LAST)


def _of_constant(node: ast.AST) -> Iterator[_Edit]:
    match node:
        case ast.Constant(value=bool() as value):
            yield _Edit(_start(node), _end(node), str(not value), WEAK)
        case ast.Constant(value=int() | float() as value):
            yield _Edit(_start(node), _end(node), repr(value + 1), WEAK)


def _of_program(node: ast.AST) -> Iterator[_Edit]:
    """The ways to break a program that stands in a text."""
    match node:
        case ast.Constant(value=str(text)) if _DEFINES.search(text):
            for inner in mutants_of("text.py", text, None):
                yield _Edit(_start(node), _end(node), repr(inner.text), inner.rank, inner.guarded)
        case ast.Constant(value=str(text)) if text:
            yield _Edit(_start(node), _end(node), "''", LAST)


def _between(before: ast.expr, after: ast.expr, tokens: _Tokens, new: str | None) -> Iterator[_Edit]:
    """The edit that puts `new` in the place of the operator between two expressions."""
    if new is None:
        return
    first = bisect.bisect_left(tokens, _end(before), key=lambda token: token.start)
    found = list(itertools.takewhile(lambda token: token.start < _start(after), tokens[first : first + 3]))
    if 0 < len(found) <= 2:
        yield _Edit(found[0].start, found[-1].end, new)


def _apply(rows: list[str], edit: _Edit) -> tuple[str, str]:
    """The text with the edit, and what was there."""
    (first, start), (last, end) = edit.start, edit.end
    cut = [*rows[first - 1 : last]]
    old = "\n".join([cut[0][start:end]] if first == last else [cut[0][start:], *cut[1:-1], cut[-1][:end]])
    joined = f"{rows[first - 1][:start]}{edit.new}{rows[last - 1][end:]}"
    return "\n".join([*rows[: first - 1], joined, *rows[last:]]), old


def _start(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return (node.lineno, node.col_offset)


def _end(node: ast.expr | ast.stmt) -> tuple[int, int]:
    return (node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def is_valid(mutant: Mutant) -> bool:
    """Whether the broken file can still be read, as far as we know its language; this takes its time."""
    if not mutant.path.endswith(".py"):
        return True
    try:
        ast.parse(mutant.text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _of_text(path: str, text: str, lines: Set[int] | None) -> Iterator[Mutant]:
    rows = text.split("\n")
    edits = []
    for number, row in enumerate(rows, 1):
        if (lines is not None and number not in lines) or _COMMENT.match(row) or len(row) > _ROW_MAX:
            continue
        plain = _QUOTED.sub(lambda quoted: " " * len(quoted[0]), row)
        for pattern, new in _TEXTUAL:
            places = ((number, found.start(), found.end()) for found in re.finditer(pattern, plain))
            edits += [_Edit((line, start), (line, end), new) for line, start, end in places]
    for edit in _spread(edits, text):
        broken, old = _apply(rows, edit)
        yield Mutant(path=path, line=edit.start[0], old=old, new=edit.new, text=broken)


def _short(text: str) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= 40 else f"{plain[:39]}…"
