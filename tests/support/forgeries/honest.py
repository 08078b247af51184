"""Honest projects of many shapes, which the gate has to let through: a refused one is as bad as a forgery."""

from __future__ import annotations

from tests.support.forgeries.usual import USUAL, Honest

_STYLES = {
    "generators and coroutines": Honest(
        {
            "gen.py": """\
import asyncio


def pairs(items):
    it = iter(items)
    for a in it:
        yield a, next(it, None)


async def later(n):
    await asyncio.sleep(0)
    return n * 2


async def upto(n):
    for i in range(n):
        yield i
""",
            "test_gen.py": """\
import asyncio
import threading

from gen import later, pairs, upto


def test_pairs():
    seen = []
    for a, b in pairs([1, 2, 3]):
        seen.append((a, b))
    assert seen == [(1, 2), (3, None)]


def test_later():
    async def main():
        assert await later(2) == 4
        found = [i async for i in upto(3)]
        assert found == [0, 1, 2]

    asyncio.run(main())


def test_threads():
    found = []

    def work(n):
        found.append(asyncio.run(later(n)))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(found) == [0, 2, 4]
""",
        },
        {},
    ),
    "asyncio plugin of the base": Honest(
        {
            "gen.py": """\
import asyncio


def pairs(items):
    it = iter(items)
    for a in it:
        yield a, next(it, None)


async def later(n):
    await asyncio.sleep(0)
    return n * 2


async def upto(n):
    for i in range(n):
        yield i
""",
            "tests/test_gen.py": """\
import pytest

from gen import later, upto


@pytest.mark.asyncio
async def test_later():
    assert await later(2) == 4


@pytest.mark.asyncio
async def test_upto():
    assert [i async for i in upto(2)] == [0, 1]
""",
        },
        {
            "requirements-dev.txt": "pytest\npytest-asyncio\n",
            "gen.py": "x = 1\n",
            "tests/test_x.py": "def test_x():\n    import gen\n    assert gen\n",
        },
    ),
    "hypothesis": Honest(
        {
            "add.py": "def add(a, b):\n    return a + b\n",
            "test_add.py": """\
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from add import add


@settings(max_examples=30, deadline=None)
@given(st.integers(), st.integers())
@example(2, 3)
def test_add(a, b):
    assume(a != b)
    assert add(a, b) == add(b, a)
    assert add(a, b) - b == a


@given(st.lists(st.integers()))
def test_all(items):
    total = 0
    for item in items:
        total = add(total, item)
        assert isinstance(total, int)
    assert total == sum(items)
""",
        },
        {"requirements.txt": "hypothesis\n"},
    ),
    "classes": Honest(
        {
            "stack.py": """\
class Stack:
    def __init__(self):
        self._items = []

    def push(self, item):
        self._items.append(item)
        return self

    def pop(self):
        if not self._items:
            raise IndexError('empty')
        return self._items.pop()

    @property
    def size(self):
        return len(self._items)

    def __eq__(self, other):
        return isinstance(other, Stack) and self._items == other._items

    __hash__ = None
""",
            "test_stack.py": """\
import unittest
from unittest import mock

from stack import Stack


class Base(unittest.TestCase):
    def setUp(self):
        self.stack = Stack().push(1)

    def assertSize(self, n):
        self.assertEqual(self.stack.size, n)


class TestStack(Base):
    def test_push(self):
        self.stack.push(2)
        self.assertSize(2)

    def test_pop(self):
        self.assertEqual(self.stack.pop(), 1)
        with self.assertRaises(IndexError) as caught:
            self.stack.pop()
        self.assertIn("empty", str(caught.exception))

    def test_empty(self):
        try:
            Stack().pop()
        except IndexError:
            pass
        else:
            self.fail("no error")

    def test_each(self):
        for n in (1, 2):
            with self.subTest(n=n):
                self.assertEqual(Stack().push(n).pop(), n)

    def test_equal(self):
        self.assertTrue(Stack() == Stack())
        self.assertFalse(Stack() == self.stack)
        self.assertNotEqual(Stack(), 3)

    def test_mock(self):
        with mock.patch.object(Stack, "push") as push:
            Stack().push(4)
        push.assert_called_once_with(4)


class TestPlain:
    def setup_method(self):
        self.stack = Stack()

    def test_size(self):
        assert self.stack.size == 0
""",
        },
        {},
    ),
    "parametrised with fixtures": Honest(
        {
            "shape.py": """\
import math


def area(kind, n):
    if kind == 'square':
        return n * n
    if kind == 'circle':
        return math.pi * n ** 2
    raise ValueError(f'unknown kind {kind}')
""",
            "conftest.py": """\
import pytest


@pytest.fixture(params=[1, 2])
def side(request):
    return request.param


@pytest.fixture
def check():
    def same(a, b):
        assert a == b
    return same
""",
            "tests/test_shape.py": """\
import math
import sys

import pytest

from shape import area

CASES = [pytest.param('square', 2, 4, id='square'), ('circle', 1, math.pi)]


@pytest.mark.parametrize(('kind', 'n', 'wanted'), CASES)
def test_area(kind, n, wanted):
    assert area(kind, n) == pytest.approx(wanted)


def test_side(side, check):
    check(area('square', side), side * side)


def test_unknown():
    with pytest.raises(ValueError, match='unknown kind hexagon'):
        area('hexagon', 1)


def test_platform():
    if sys.platform == 'win32':
        assert area('square', 3) == 9
    else:
        assert area('square', 4) == 16


@pytest.mark.skipif(sys.platform == 'win32', reason='posix')
def test_posix():
    assert area('square', 1) == 1, (
        'one by one'
    )
""",
        },
        {},
    ),
    "snapshots": Honest(
        {
            "page.py": "def page(title, items):\n    rows = ''.join(f'<li>{item}</li>' for item in items)\n"
            "    return f'<h1>{title}</h1><ul>{rows}</ul>'\n",
            "tests/snapshots/two.html": "<h1>A</h1><ul><li>1</li><li>2</li></ul>",
            "tests/test_page.py": """\
import os
from pathlib import Path

from page import page

SNAPSHOTS = Path(__file__).parent / "snapshots"


def matches(name, text):
    at = SNAPSHOTS / name
    if os.environ.get("UPDATE"):
        at.write_text(text)
    assert at.read_text() == text, f"{name} is another one"


def test_two():
    matches("two.html", page("A", [1, 2]))


def test_runs():
    page("A", [])
""",
        },
        {},
    ),
}
HONEST = {**_STYLES, **USUAL}
