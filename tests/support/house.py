"""The measures of the house, as its tests hold them; `python -m tests.support.house` prints where they stand."""

from __future__ import annotations

import ast
import statistics
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("libs", "services")
ENTRY_POINTS = {"__init__.py", "__main__.py"}

_BROAD = {"Exception", "BaseException"}


def modules() -> Iterator[Path]:
    """The production modules."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            # What a rehearsed agent writes is no part of the house.
            if "files" not in path.relative_to(ROOT).parts:
                yield path


def scripts() -> Iterator[Path]:
    """The modules of the web UI."""
    web = ROOT / "services" / "gateway" / "web"
    for folder in ("src", "bundling", "public"):
        for path in sorted((web / folder).rglob("*")):
            if path.suffix in {".ts", ".tsx", ".js"} and path.name != "schema.ts":
                yield path


def name_of(path: Path) -> str:
    """A path as the repository has it."""
    return str(path.relative_to(ROOT))


def lines_of(path: Path) -> int:
    """How long a module is."""
    return len(path.read_text(encoding="utf-8").splitlines())


def folder_sizes() -> Counter[str]:
    """How many modules each folder holds."""
    return Counter(name_of(path.parent) for path in (*modules(), *scripts()) if path.name not in ENTRY_POINTS)


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function of a module, and how many lines it has."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name_of(path)}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


def broad_catches(path: Path) -> Iterator[str]:
    """The places of a module where everything is caught."""
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ExceptHandler):
            named = list(ast.walk(node.type or ast.Name("Exception")))
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "suppress":
            named = [name for argument in node.args for name in ast.walk(argument)]
        else:
            continue
        if any(isinstance(name, ast.Name) and name.id in _BROAD for name in named):
            yield f"{name_of(path)}:{node.lineno}"


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _figures() -> Iterator[str]:
    ours, theirs = list(modules()), list(scripts())
    lines = sum(map(lines_of, ours))
    sizes = sorted((size, name) for path in ours for name, size in functions(path))
    found = [size for size, _ in sizes]
    broad = sum(1 for path in ours for _ in broad_catches(path))
    longest = max((lines_of(path), name_of(path)) for path in (*ours, *theirs))
    yield f"{'Python modules':<24}{len(ours)} with {lines} lines"
    yield f"{'of the web UI':<24}{len(theirs)} with {sum(map(lines_of, theirs))} lines"
    yield f"{'longest module':<24}{longest[0]} lines ({longest[1]})"
    ninetieth = statistics.quantiles(found, n=10)[-1]
    yield f"{'functions':<24}{len(found)}; lines: median {statistics.median(found):g}, p90 {ninetieth:g}"
    yield f"{'longest function':<24}{sizes[-1][0]} lines ({sizes[-1][1]})"
    yield f"{'broad excepts':<24}{broad}, {1000 * broad / lines:.2f} per 1000 lines"
    yield "fullest folders"
    yield from (f"  {count:<4}{room}" for room, count in folder_sizes().most_common(8))


if __name__ == "__main__":
    print("\n".join(_figures()))  # noqa: T201  it is what it is for
