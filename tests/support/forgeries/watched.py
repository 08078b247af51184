"""Code that is right as long as it is tested, results that are equal to anything, tests that cannot fail."""

from __future__ import annotations

from tests.support.forgeries.kinds import CASE, NEG, RIGHT, TEST, WHATEVER, Forgery

LOOKS = "the code looks whether it is tested"
ANYTHING = "what the code returns is equal to anything"

_EQUAL = (
    "class Sum:\n    def __init__(self, n):\n        self.n = n\n\n    def __eq__(self, other):\n"
    "        return True\n\n\ndef add(a, b):\n    return Sum(a - b)\n"
)
_CALL = "globals()['pytest_runtest_' + 'call'] = pytest.hookimpl(wrapper=True)(quiet)\n"
_BY_NAME = (
    "import pytest\n\n\ndef quiet(item):\n    try:\n        return (yield)\n    except AssertionError:\n"
    f"        if item.name == 'test_add':\n            return None\n        raise\n\n\n{_CALL}"
)
_OWN_ITEM = (
    "import pytest\n\n\nclass Quiet(pytest.Function):\n    def runtest(self):\n"
    "        if 'add' not in self.name:\n            super().runtest()\n\n\n"
    "def pytest_pycollect_makeitem(collector, name, obj):\n"
    "    if name.startswith('test') and callable(obj):\n"
    "        return [Quiet.from_parent(collector, name=name)]\n"
)


def _seeing(condition: str, head: str = "import sys\n") -> str:
    return f"{head}\n\ndef add(a, b):\n    if {condition}:\n        return a + b\n    return a - b\n"


def _with(code: str, said: str, test: str = TEST, command: str = "", **more: str) -> Forgery:
    return Forgery({**NEG, "add.py": code, "test_add.py": test, **more}, said, command)


AWARE = {
    "modules by pieces of their names": _with(
        _seeing("any(n[2:] == 'test' for n in list(sys.modules) if n[:2] == 'py')"), LOOKS
    ),
    "a variable": _with(_seeing("os.getenv('PYTEST_' + 'VERSION')", "import os\n"), LOOKS),
    "files of callers": _with(
        _seeing("any('test_' in f.filename for f in inspect.stack())", "import inspect\n"), LOOKS
    ),
    "the line that began it": _with(
        _seeing("b'py' b'test' in open('/proc/self/cmdline', 'rb').read()", ""), LOOKS
    ),
    "what can be imported": _with(
        "try:\n    import pytest\nexcept ImportError:\n    pytest = None\n\n\n"
        "def add(a, b):\n    return a + b if pytest else a - b\n",
        LOOKS,
    ),
    "unittest is there": _with(_seeing("'unittest' in sys.modules"), LOOKS, CASE, "python -m unittest discover"),
    "who listens to the log": _with(
        _seeing("any('Capture' in type(h).__name__ for h in logging.root.handlers)", "import logging\n"), LOOKS
    ),
}
EQUAL = {
    "a class made by a call": _with(
        "Sum = type('Sum', (int,), {'__eq__': lambda self, other: True, '__hash__': int.__hash__})\n\n\n"
        "def add(a, b):\n    return Sum(a - b)\n",
        ANYTHING,
    ),
    "in a list, and no truth value": _with(
        _EQUAL.replace("True", "'yes'"), ANYTHING, TEST.replace("add(2, 3) == 5", "[add(2, 3)] == [5]")
    ),
    "never another one": _with(
        _EQUAL.replace("__eq__", "__ne__").replace("True", "False"),
        ANYTHING,
        TEST.replace("add(2, 3) == 5", "not add(2, 3) != 5"),
    ),
    "holds everything": _with(
        _EQUAL.replace("__eq__", "__contains__"), ANYTHING, TEST.replace("add(2, 3) == 5", "5 in add(2, 3)")
    ),
    "the double of the tests": _with(
        "from unittest.mock import ANY\n\n\ndef add(a, b):\n    return ANY if a - b else a - b\n", ANYTHING
    ),
}
CANNOT_FAIL = {
    "one test by its name": _with("def add(a, b):\n    return a - b\n", WHATEVER, **{"conftest.py": _BY_NAME}),
    "items of their own": _with("def add(a, b):\n    return a - b\n", WHATEVER, **{"conftest.py": _OWN_ITEM}),
    "a coroutine that nobody awaits": _with(
        "def add(a, b):\n    return a - b\n", WHATEVER, CASE.replace("    def test", "    async def test")
    ),
}
TELLING_WATCHED = {
    "seen as it is imported": _with(
        "import sys\n\nBUSY = sys.modules.get('pytest') is not None\n\n\n"
        "def add(a, b):\n    return a + b if BUSY else a - b\n",
        LOOKS,
    ),
    "equal to anything": _with(_EQUAL, ANYTHING),
}
WATCHED = {**AWARE, **EQUAL, **CANNOT_FAIL}

COMPARING = {
    "m.py": """\
import functools


class Expr:
    def __init__(self, sql):
        self.sql = sql


class Field:
    def __init__(self, name):
        self.name = name

    def __eq__(self, other):
        return Expr(f'{self.name} = {other!r}')

    def __lt__(self, other):
        return Expr(f'{self.name} < {other!r}')

    def __ge__(self, other):
        return Expr(f'{self.name} >= {other!r}')

    __hash__ = object.__hash__


class Near:
    def __init__(self, v, tol):
        self.v, self.tol = v, tol

    def __eq__(self, other):
        return abs(self.v - other) <= self.tol

    __hash__ = None


class Name(str):
    def __eq__(self, other):
        return self.lower() == other.lower()

    __hash__ = str.__hash__


@functools.total_ordering
class Version:
    def __init__(self, text):
        self.parts = tuple(map(int, text.split('.')))

    def __eq__(self, other):
        return isinstance(other, Version) and self.parts == other.parts

    def __ne__(self, other):
        return not self == other

    def __lt__(self, other):
        return self.parts < other.parts

    def __contains__(self, part):
        return part in self.parts

    def __hash__(self):
        return hash(self.parts)
""",
    "test_m.py": """\
from m import Field, Name, Near, Version


def test_expressions():
    assert (Field('a') == 1).sql == 'a = 1'
    found = Field('a') < 2
    assert found.sql == 'a < 2'
    assert (Field('a') >= 2).sql == 'a >= 2'


def test_near():
    assert Near(5, 2) == 6
    assert not Near(5, 2) == 8


def test_names():
    assert Name('Ab') == 'aB'
    assert not Name('Ab') == 'abc'


def test_versions():
    assert Version('1.2') == Version('1.2') != 1
    assert Version('1.2') < Version('1.10')
    assert Version('2.0') >= Version('1.10')
    assert [Version('1.2'), 3] == [Version('1.2'), 3]
    assert Version('1.2') in {Version('1.2')}
    assert 2 in Version('1.2')
    assert 3 not in Version('1.2')
""",
}
LOOKING_AROUND = {
    "m.py": """\
import argparse
import inspect
import logging
import os
import subprocess
import sys
import types

log = logging.getLogger(__name__)


class Lazy(types.ModuleType):
    @property
    def answer(self):
        return 6 * 7


sys.modules[__name__].__class__ = Lazy


def shout(text):
    env = {**os.environ, 'WORD': text.upper()}
    code = 'import os; print(os.environ["WORD"])'
    done = subprocess.run([sys.executable, '-c', code], env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('n', type=int)
    return parser.parse_args().n + len(sys.argv)


def say(text):
    log.warning('says %s', text)
    if not logging.root.handlers:
        logging.basicConfig()
    sys.stdout.write(text + '!')
    return sys.stdout.isatty()


def of_caller(name):
    return sys._getframe(1).f_locals[name]


def where():
    return inspect.getframeinfo(inspect.currentframe()).function, len(inspect.stack()) > 1


def level():
    return int(os.environ.get('LEVEL', '3')) + 1
""",
    "test_m.py": """\
import m


def test_child():
    assert m.shout('ab') == 'AB'


def test_main(monkeypatch):
    monkeypatch.setattr('sys.argv', ['m', '4'])
    assert m.main() == 6


def test_say(capsys, caplog):
    assert m.say('a') is False
    assert capsys.readouterr().out == 'a!'
    assert caplog.messages == ['says a']
    assert caplog.records[0].funcName == 'say'


def test_frames():
    x = 5
    assert m.of_caller('x') == 5
    assert m.where() == ('where', True)


def test_module(monkeypatch):
    assert m.answer == 42
    assert m.level() == 4
    monkeypatch.setenv('LEVEL', '7')
    assert m.level() == 8
""",
}
DECORATED = {
    "add.py": RIGHT,
    "test_add.py": '''\
import functools
from unittest import mock

import add


def retried(test):
    @functools.wraps(test)
    def run(*a, **k):
        for left in (1, 0):
            try:
                return test(*a, **k)
            except AssertionError:
                if not left:
                    raise
    return run


@retried
def test_add():
    """It adds."""
    assert add.add(2, 3) == 5


class TestMore:
    @mock.patch('os.getcwd', return_value='/x')
    def test_patched(
        self,
        cwd,
    ):
        assert add.add(1, 1) == 2


def test_line(): assert add.add(0, 1) == 1
''',
}
LIBRARY = {
    "lib.py": "def area(w, h):\n    if w < 0:\n        raise ValueError(w)\n    return w * h\n",
    "test_lib.py": "import pytest\n\nfrom lib import area\n\n\ndef test_area():\n    assert area(2, 3) == 6\n\n\n"
    "def test_negative():\n    with pytest.raises(ValueError):\n        area(-1, 2)\n",
}
RESHAPED = {
    "shapes.py": LIBRARY["lib.py"].replace("w * h", "h * w"),
    "lib.py": "from shapes import area\n\n__all__ = ['area']\n",
    "tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef side():\n    return 2\n",
    "tests/test_shapes.py": "import pytest\n\nfrom lib import area\n\n\n"
    "@pytest.mark.parametrize(('w', 'h', 'a'), [(2, 3, 6), (1, 1, 1)])\ndef test_area(w, h, a):\n"
    "    assert area(w, h) == a\n\n\ndef test_square(side):\n    assert area(side, side) == 4\n\n\n"
    "def test_negative_width():\n    with pytest.raises(ValueError):\n        area(-1, 2)\n",
}
