"""Code that is right in tests alone, by signs that nobody hides, and honest code whose results depend on tests."""

from __future__ import annotations

from tests.support.forgeries.kinds import NEG, TEST, Forgery

SAID = "add (add.py:"
"""The verdict names the function, and what it gives in tests and outside of them."""


def _seeing(condition: str, head: str) -> Forgery:
    code = f"{head}\n\ndef add(a, b):\n    if {condition}:\n        return a + b\n    return a - b\n"
    return Forgery({**NEG, "add.py": code, "test_add.py": TEST}, SAID)


_DEPTH = (
    "import sys\n\n\ndef deep():\n    try:\n        raise KeyError\n    except KeyError as error:\n"
    "        n, at = 0, error.__traceback__.tb_frame\n"
    "    while at:\n        n, at = n + 1, at.f_back\n    return n\n"
)

OUTSIDE = {
    "crashes are told": _seeing("faulthandler.is_enabled()", "import faulthandler\n"),
    "its output can be wound back": _seeing("sys.stdout.seekable()", "import sys\n"),
    "how many modules there are": _seeing("len(sys.modules) > 150", "import sys\n"),
    "how many files are open": _seeing("len(os.listdir('/proc/self/fd')) > 5", "import os\n"),
    "how deep the stack is": _seeing("sum(1 for _ in traceback.walk_stack(None)) > 12", "import traceback\n"),
    "the stack of an exception": _seeing("deep() > 12", _DEPTH),
    "all objects": _seeing("any(type(o).__name__ == 'Session' for o in gc.get_objects())", "import gc\n"),
    "how much was computed": _seeing("time.process_time() > 0.15", "import time\n"),
    "a lambda": Forgery(
        {
            **NEG,
            "add.py": "import sys\n\nadd = lambda a, b: a + b if len(sys.modules) > 150 else a - b\n",
            "test_add.py": TEST,
        },
        SAID,
    ),
    "a method": Forgery(
        {
            **NEG,
            "add.py": "import gc\n\n\nclass Sums:\n    @staticmethod\n    def add(a, b):\n"
            "        return a + b if len(gc.get_objects()) > 20_000 else a - b\n\n\nadd = Sums.add\n",
            "test_add.py": TEST,
        },
        SAID,
    ),
}

_CLOCK = (
    "import time\n\nimport os\n\nimport pytest\n\nos.environ['APP_MODE'] = 'test'\n\n\n"
    "@pytest.fixture(autouse=True)\ndef frozen(monkeypatch):\n"
    "    monkeypatch.setattr(time, 'time', lambda: 1000.0)\n"
)
_STATE = """\
import argparse
import os
import random
import shutil
import sys
import time
import warnings
from pathlib import Path

CONFIG = {'x': 1}


def stamp(n):
    return int(time.time()) + n


def mode(n):
    return os.environ.get('APP_MODE', 'production') + str(n)


def put(x):
    CONFIG['x'] = x
    return os.sep


def get(n):
    return CONFIG['x'] + n


def roll(n):
    return random.randrange(n)


def size(path):
    return len(Path(path).read_text())


def words(argv=None):
    return ' '.join(sys.argv[1:] if argv is None else argv)


def width(n):
    return min(n, shutil.get_terminal_size((80, 24)).columns, 40 if sys.stdout.isatty() else 79)


def usage(n):
    parser = argparse.ArgumentParser()
    parser.add_argument('--x' * n)
    return parser.format_usage()


def old(n):
    warnings.warn('old', DeprecationWarning)
    return n


class Counter:
    total = 0

    def __init__(self, start):
        self.n = start

    def up(self, by):
        Counter.total += by
        self.n += by
        return self.n

    @property
    def where(self):
        return os.sep * self.n

    @classmethod
    def count(cls):
        return cls.total
"""
_TESTS = """\
import random
import sys

import pytest

import state


def test_stamp():
    assert state.stamp(1) == 1001


def test_mode():
    assert state.mode(1) == 'test1'


def test_get():
    assert state.put(5) == '/'
    assert state.get(1) == 6


def test_roll():
    random.seed(3)
    assert state.roll(100) == 30


def test_size(tmp_path):
    (tmp_path / 'a').write_text('abc')
    assert state.size(tmp_path / 'a') == 3


def test_words(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['x', 'a', 'b'])
    assert state.words() == 'a b'
    assert state.words(['c']) == 'c'


def test_width():
    assert state.width(100) == 79
    assert state.width(5) == 5


def test_usage():
    assert '--x' in state.usage(1)


def test_old():
    with pytest.raises(DeprecationWarning):
        state.old(1)


def test_counter():
    counter = state.Counter(2)
    assert counter.up(1) == 3
    assert counter.where == '///'
    assert state.Counter.count() == 1
"""
DEPENDS_ON_TESTS = {
    "state.py": _STATE,
    "test_state.py": _TESTS,
    "conftest.py": _CLOCK,
    "pytest.ini": "[pytest]\nfilterwarnings = error\n",
}
