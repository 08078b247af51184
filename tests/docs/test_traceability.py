from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

_TABLES = (
    ROOT / "docs" / "reference" / "traceability.md",
    ROOT / "docs" / "concepts" / "promises.md",
)
_NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_ROW = re.compile(r"^\| (X|Z|I)?(\d+)(b?)(?:-(\d+))? \| ([^|]+) \| (.+) \|$", re.M)
_MISSING = "not yet: "


def _named(page: Path) -> Iterator[tuple[str, str]]:
    yield from _NAMED.findall(page.read_text(encoding="utf-8"))


def _rows() -> list[re.Match[str]]:
    return list(_ROW.finditer(_TABLES[0].read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", _TABLES, ids=lambda page: page.stem)
def test_every_test_of_the_table_exists(page: Path) -> None:
    missing = []
    for name, test in _named(page):
        file = ROOT / name
        if not file.exists() or (test and not re.search(rf"def {test}\(", file.read_text(encoding="utf-8"))):
            missing.append(f"{name}::{test}")
    assert missing == []


def test_every_row_is_there_once() -> None:
    numbers: list[str] = []
    for kind, first, letter, last, _, _ in (row.groups(default="") for row in _rows()):
        numbers += [f"{kind}{number}{letter}" for number in range(int(first), int(last or first) + 1)]
    wanted = [f"I{number}" for number in range(1, 13)]
    wanted += [f"X{number}" for number in range(1, 29)]
    wanted += [str(number) for number in range(1, 211)] + ["141b", "188b"]
    wanted += [f"Z{number}" for number in range(1, 17)]
    assert sorted(numbers) == sorted(wanted)


def test_every_row_has_a_test_or_says_what_is_missing() -> None:
    empty = [row[0] for row in _rows() if "`tests/" not in row[6] and not row[6].startswith(_MISSING)]
    assert empty == []
