"""What an edit answers, on texts alone."""

from __future__ import annotations

import pytest

from agenthub_worker.tools.after_edit import changed_lines, nearest, syntax_note

TEN = [f"line {n}" for n in range(1, 11)]


def numbers(text: str) -> list[str]:
    return [line.split("\t")[0].strip() for line in text.split("\n")]


def test_the_changed_lines_are_shown_with_those_around_them() -> None:
    after = [*TEN[:4], "new", *TEN[5:]]
    assert numbers(changed_lines(TEN, after)) == ["2", "3", "4", "5", "6", "7", "8"]
    assert "     5\tnew" in changed_lines(TEN, after)


def test_changes_far_apart_are_shown_apart_and_near_ones_together() -> None:
    long = [f"line {n}" for n in range(100)]
    after = [*long]
    after[10], after[14], after[80] = "a", "b", "c"
    assert numbers(changed_lines(long, after)) == [*map(str, range(8, 19)), "[...]", *map(str, range(78, 85))]


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (["a"], [], [""]),
        ([], ["a", "b"], ["1", "2"]),
        (["a", "b", "c"], ["a", "c"], ["1", "2"]),
        (["x"] * 5, ["x"] * 6, ["3", "4", "5", "6"]),
        (["a"], ["a"], [""]),
    ],
)
def test_what_was_added_and_what_is_gone(before: list[str], after: list[str], shown: list[str]) -> None:
    assert numbers(changed_lines(before, after)) == shown


def test_a_change_of_everything_is_shown_as_far_as_there_is_room() -> None:
    text = changed_lines([f"a{n}" for n in range(5_000)], [f"b{n} " + "x" * 1_000 for n in range(5_000)])
    assert len(text) < 4_200
    assert "more characters" in text
    assert text.endswith("[... look at the rest with `view` ...]")


FILE = """\
import os


def area(width, height):
    # the unit is metres
    return width * height


def volume(width, height, depth):
    return width * height * depth
""".splitlines()


@pytest.mark.parametrize(
    ("wanted", "first"),
    [
        ("def area(width, height):\n  # the unit is metres\n  return width * height", "4"),
        ("    # the unit is meters\n    return width * height\n", "5"),
        ("def volume(widht, height, depth):", "9"),
        ("\ndef volumes(width, height, depth):\n    return width", "8"),
        ("return width * height * depth;", "10"),
    ],
)
def test_the_nearest_place_is_named_for_a_text_that_is_not_there(wanted: str, first: str) -> None:
    assert numbers(nearest(FILE, wanted))[0] == first


@pytest.mark.parametrize("wanted", ["something else entirely", "", "\n\n", "€€€€", "x" * 50_000])
def test_nothing_is_near_to_what_is_nothing_like_the_file(wanted: str) -> None:
    assert nearest(FILE, wanted) == ""
    assert nearest([], wanted) == ""


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("a.py", "def f(:\n    pass\n", "line 1: "),
        ("a.pyi", "class\n", "line 1: "),
        ("a.py", "x = 1\n  y = 2\n", "line 2: unexpected indent"),
        ("package.json", '{"a": 1,}', "line 1, column"),
        ("pyproject.toml", "[a\n", "no TOML as it is now: "),
        ("x.toml", "a = 1\na = 2\n", "Cannot overwrite a value (at line 2"),
    ],
)
def test_what_cannot_be_read_is_told(path: str, text: str, words: str) -> None:
    assert words in syntax_note(path, text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "x = 1\n"),
        ("a.py", ""),
        ("tsconfig.json", "{} // a comment"),
        (".vscode/settings.json", "{,}"),
        ("a.json", "[" * 100_000),
        ("a.json", "1" * 5_000),
        ("a.txt", "def f(:"),
        ("a.toml", "." * 100 + "a." * 20_000),
        ("big.json", "x" * (2 << 20)),
    ],
)
def test_what_can_be_read_or_is_not_looked_at_is_not_mentioned(path: str, text: str) -> None:
    assert syntax_note(path, text) == ""
