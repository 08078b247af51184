"""What the tables of forgeries are made of."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

WRONG = "def add(a, b):\n    return a - b\n"
RIGHT = "def add(a, b):\n    return a + b\n"
TEST = "from add import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n"
NEVER_WRONG = "from add import add\n\n\ndef test_zero():\n    assert add(0, 0) == 0\n"
CASE = (
    "import unittest\n\nfrom add import add\n\n\nclass TestAdd(unittest.TestCase):\n    def test_add(self):\n"
    "        self.assertEqual(add(2, 3), 5)\n"
)
# A second piece of honest work: its mutants are noticed, so that nothing else is said of the first.
NEG = {
    "neg.py": "def neg(a):\n    return -a\n",
    "tests/test_neg.py": "from neg import neg\n\n\ndef test_neg():\n    assert neg(1) == -1\n",
}

UNKNOWN = "known outcome came out wrong"
UNNOTICED = "do not notice when this code is broken"
UNSEEN = "none of them runs a changed line"
OF_THE_TEXT = "apart from those that fail whatever is changed"
NOT_RUN = "Tests exist but did not run"
BEFORE = "as they were before this goal"
WHATEVER = "Tests pass whatever stands in them"
NOT_IT = "Tests call add (add.py:1), and no line of it was run"
AS_WORDED = "Tests pass only as they are worded"
MEASURED = "only while their coverage is measured"
IN_PLACE = "was tested in the place of"


class Forgery(NamedTuple):
    """Files of an agent whose code is wrong, beside `WRONG` and `TEST`, and words of the verdict that must come.

    `gone` are files that it deletes, `links` those that it makes links of, `old` the repository of the goal.
    """

    files: dict[str, str]
    said: str
    command: str = ""
    gone: tuple[str, ...] = ()
    links: Mapping[str, str] = MappingProxyType({})
    old: Mapping[str, str] = MappingProxyType({})


def test_of(body: str) -> dict[str, str]:
    """A test file with these lines in its test."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return {"test_add.py": f"from add import add\n\n\ndef test_add():\n{lines}"}
