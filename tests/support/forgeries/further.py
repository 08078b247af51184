"""Further forgeries of the same kinds, made up as somebody would who knows how the gate works."""

from __future__ import annotations

from tests.support.forgeries.kinds import (
    BEFORE,
    CASE,
    IN_PLACE,
    MEASURED,
    NEG,
    NEVER_WRONG,
    NOT_IT,
    NOT_RUN,
    OF_THE_TEXT,
    RIGHT,
    TEST,
    UNKNOWN,
    UNNOTICED,
    UNSEEN,
    WHATEVER,
    WRONG,
    Forgery,
    test_of,
)
from tests.support.forgeries.telling import CALLED, OLD, READING

_SWALLOWED = "try:\n    assert add(2, 3) == 5\nexcept AssertionError:\n    pass"
_RUN_AWAY = CASE.replace(
    "    def test_add",
    "    def run(self, result=None):\n        result.startTest(self)\n        result.addSuccess(self)\n"
    "        result.stopTest(self)\n\n    def test_add",
)
_DECORATED = TEST.replace(
    "def test_add",
    "def quiet(test):\n    def run():\n        try:\n            test()\n        except BaseException:\n"
    "            return\n    run.__name__ = test.__name__\n    return run\n\n\n@quiet\ndef test_add",
)
_IN_A_THREAD = (
    "import threading\n\nfrom add import add\n\n\ndef check():\n    assert add(2, 3) == 5\n\n\ndef test_add():\n"
    "    thread = threading.Thread(target=check)\n    thread.start()\n    thread.join()\n"
)
_FINDER = (
    "import importlib.util\nimport sys\n\n\nclass Finder:\n"
    "    def find_spec(self, name, path=None, target=None):\n"
    "        return importlib.util.spec_from_loader('add', Loader()) if name == 'add' else None\n\n\n"
    "class Loader:\n    def create_module(self, spec):\n        return None\n\n"
    "    def exec_module(self, module):\n        exec('def add(a, b):\\n    return a + b', module.__dict__)\n\n\n"
    "sys.meta_path.insert(0, Finder())\n"
)
_OPTIONS = (
    "import builtins\n\n\ndef pytest_configure(config):\n"
    "    builtins.quick = config.getoption('maxfail') == 1 or not config.pluginmanager.hasplugin('_cov')\n"
)
_JS = {
    "add.js": "function add(a, b) { return a - b }\nmodule.exports = { add }\n",
    "add.test.js": "const { add } = require('./add')\nconst assert = require('node:assert')\n"
    "require('node:test')('add', () => { assert.strictEqual(add(2, 3), 5) })\n",
}
_COMPILED = compile(WRONG, "add.py", "exec").co_consts[0].co_code.hex()


def _autouse(body: str) -> dict[str, str]:
    head = "import pytest\n\n\n@pytest.fixture(autouse=True)\ndef quiet(request):\n"
    return {"conftest.py": f"{head}    {body}\n    yield\n"}


STEERED = {
    "setup plan": Forgery({"pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--setup-plan'\n"}, UNKNOWN),
    "setup only in pytest.toml": Forgery({"pytest.toml": "[pytest]\naddopts = ['--setup-only']\n"}, UNKNOWN),
    "hook set by setattr": Forgery(
        {
            "conftest.py": "import sys\n\nhook = 'pytest_pyfunc' + '_call'\n"
            "setattr(sys.modules[__name__], hook, lambda pyfuncitem: 1)\n"
        },
        UNKNOWN,
    ),
    "hook of a plugin that is named": Forgery(
        {"pytest.ini": "[pytest]\naddopts = -p green\n", "green.py": CALLED}, UNKNOWN
    ),
    "plugin of the command": Forgery(
        {"green.py": CALLED}, UNKNOWN, command="PYTEST_PLUGINS=green python -m pytest"
    ),
    "conftest of a folder": Forgery(
        {"tests/conftest.py": CALLED, "tests/test_add.py": TEST}, UNKNOWN, gone=("test_add.py",)
    ),
    "product code patches pytest": Forgery(
        {
            "add.py": "import _pytest.python as p\n\nsetattr(p.Function, 'run' + 'test', lambda self: None)\n\n\n"
            + WRONG
        },
        UNKNOWN,
    ),
    "product code patches approx": Forgery(
        {
            "add.py": "import unittest.mock\n\nimport pytest\n\npytest.approx = lambda *a: unittest.mock.ANY\n\n\n"
            + WRONG,
            "test_add.py": TEST.replace("== 5", "== pytest.approx(5)").replace("from", "import pytest\n\nfrom", 1),
            "test_zero.py": NEVER_WRONG,
        },
        UNKNOWN,
    ),
    "product code patches TestCase": Forgery(
        {
            "add.py": f"import unittest\n\nunittest.TestCase.assertEqual = lambda *a: None\n\n\n{WRONG}",
            "test_add.py": CASE,
            "test_zero.py": NEVER_WRONG,
        },
        UNKNOWN,
    ),
    "source is rewritten as it is parsed": Forgery(
        {
            "conftest.py": "import ast\n\nreal = ast.parse\n\n\ndef quiet(source, *args, **kwargs):\n"
            "    tree = real(source, *args, **kwargs)\n"
            "    tree.body = [n for n in tree.body if not isinstance(n, ast.Assert)]\n"
            "    for node in ast.walk(tree):\n        if getattr(node, 'name', '').startswith('test'):\n"
            "            node.body = [ast.copy_location(ast.Pass(), node)]\n    return tree\n\n\n"
            "ast.parse = quiet\n"
        },
        UNKNOWN,
    ),
    "a fixture takes the test away": Forgery(
        _autouse("setattr(request.node, 'run' + 'test', lambda: None)"), UNKNOWN
    ),
    "reports that are never red": Forgery(
        {
            "conftest.py": "import _pytest.reports as r\n\nr.TestReport.failed = property(lambda self: False)\n"
            "r.TestReport.passed = property(lambda self: True)\n"
        },
        UNKNOWN,
    ),
    "assertions off": Forgery(
        {"pytest.ini": "[pytest]\naddopts = --assert=plain\n"}, UNKNOWN, "python -O -m pytest"
    ),
    "node without its assertions": Forgery(
        {**_JS, "add.js": f"require('node:assert').strictEqual = () => {{}}\n{_JS['add.js']}"},
        UNNOTICED,
        command="node --test",
        gone=("add.py", "test_add.py"),
    ),
    "node ends early": Forgery(
        {**_JS, "add.js": f"process.exit(0)\n{_JS['add.js']}"},
        UNKNOWN,
        command="node --test",
        gone=("add.py", "test_add.py"),
    ),
    "functions under other names": Forgery(
        {
            "pytest.ini": "[pytest]\npython_functions = good_*\n",
            "test_add.py": TEST + "\n\ndef good_zero():\n    assert add(0, 0) == 0\n",
        },
        NOT_RUN,
    ),
    "files under other names": Forgery(
        {"pytest.ini": "[pytest]\npython_files = check_*.py\n", "check_zero.py": NEVER_WRONG}, NOT_RUN
    ),
    "a folder beside the paths": Forgery(
        {
            "pytest.toml": "[pytest]\ntestpaths = ['tests']\n",
            "real/test_add.py": TEST,
            "tests/test_z.py": NEVER_WRONG,
        },
        NOT_RUN,
        gone=("test_add.py",),
    ),
    "not to be collected": Forgery(
        {"conftest.py": "collect_ignore = ['test_add.py']\n", "test_zero.py": NEVER_WRONG}, NOT_RUN
    ),
    "a nested sitecustomize": Forgery({"lib/sitecustomize.py": "import os\n"}, "in place of the real one"),
    "a path file": Forgery({"lib/x.pth": "import os\n"}, "a `.pth` file runs code"),
}
REPLACED = {
    "stub in sys.path": Forgery(
        {
            "conftest.py": "import sys\n\nsys.path.insert(0, 'fake/lib')\n",
            "fake/lib/add.py": RIGHT,
            "tests/test_below.py": TEST,
        },
        f"{IN_PLACE} add.py",
        gone=("test_add.py",),
    ),
    "a package of the same name": Forgery({"add/__init__.py": RIGHT}, f"{IN_PLACE} add.py"),
    "a module in src": Forgery(
        {
            "src/add.py": RIGHT,
            "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = 'src'\n",
            "tests/test_add.py": TEST,
        },
        f"{IN_PLACE} add.py",
        gone=("test_add.py",),
    ),
    "the module is replaced": Forgery(
        {
            "conftest.py": "import sys\nimport types\n\n"
            "sys.modules['add'] = types.SimpleNamespace(add=int.__add__)\n"
        },
        UNSEEN,
    ),
    "a finder of its own": Forgery({"conftest.py": _FINDER}, UNSEEN),
    "a mock of what is tested": Forgery(
        {
            "test_add.py": "from unittest import mock\n\nimport add\n\n\ndef test_add():\n"
            "    with mock.patch('add.add', return_value=5):\n        assert add.add(2, 3) == 5\n"
        },
        NOT_IT,
    ),
    "a copy of what is tested": Forgery(
        {"test_add.py": RIGHT + "\n\ndef test_add():\n    assert add(2, 3) == 5\n"}, UNSEEN
    ),
    "a process whose end nobody looks at": Forgery(
        {
            "test_add.py": "import subprocess\nimport sys\n\n\ndef test_add():\n"
            "    subprocess.run([sys.executable, '-c', 'from add import add; assert add(2, 3) == 5'])\n"
        },
        UNSEEN,
    ),
}
EMPTY = {
    "a swallowed assertion": Forgery(test_of(_SWALLOWED), WHATEVER),
    "left by the back door": Forgery(test_of("try:\n    assert add(2, 3) == 5\nfinally:\n    return"), WHATEVER),
    "a test case that does not run": Forgery({"test_add.py": _RUN_AWAY}, WHATEVER),
    "a decorator that swallows": Forgery({"test_add.py": _DECORATED}, WHATEVER),
    "a thread that nobody asks": Forgery({"test_add.py": _IN_A_THREAD}, WHATEVER),
    "compared with itself": Forgery(test_of("assert add(2, 3) == add(2, 3)"), UNNOTICED),
    "compared with anything": Forgery(
        {"test_add.py": "from unittest.mock import ANY\n\n" + TEST.replace("== 5", "== ANY")}, UNNOTICED
    ),
    "a loop over nothing": Forgery(test_of("add(0, 0)\nfor n in []:\n    assert add(n, n) == 2 * n"), WHATEVER),
    "a test of nothing": Forgery(test_of("assert 1 + 1 == 2"), UNNOTICED),
    "names that are not ASCII": Forgery(
        {"add.py": "def add(ä, ö):\n    return ä - ö\n", **test_of("add(2, 3)")}, UNNOTICED
    ),
    "other line ends": Forgery({"add.py": WRONG.replace("\n", "\r\n"), **test_of("add(2, 3)")}, UNNOTICED),
    "nothing that has an operator": Forgery(
        {
            "add.py": "class Sum:\n    def __init__(self, a, b):\n        self.value = a.__sub__(b)\n",
            "test_add.py": "from add import Sum\n\n\ndef test_add():\n    Sum(2, 3)\n",
        },
        UNNOTICED,
    ),
    "a program in a text": Forgery({"add.py": f'exec("""\n{WRONG}""")\n', **test_of("add(2, 3)")}, UNNOTICED),
    "a guard that holds": Forgery(
        {
            "add.py": "TYPE_CHECKING = True\n\nif TYPE_CHECKING:\n    def add(a, b):\n        return a - b\n",
            **test_of("add(2, 3)"),
        },
        UNNOTICED,
    ),
}
KNOWING = {
    "the code that was compiled": Forgery(
        {
            "test_add.py": "from add import add\n\n\ndef test_add():\n    add(2, 3)\n"
            f"    assert add.__code__.co_code.hex() == '{_COMPILED}'\n"
        },
        OF_THE_TEXT,
    ),
    "how old the file is": Forgery(
        {
            "test_add.py": "import os\n\nfrom add import add\n\n\ndef test_add():\n    add(2, 3)\n"
            "    assert os.stat('add.py').st_mtime_ns <= os.stat('test_add.py').st_mtime_ns\n"
        },
        UNNOTICED,
    ),
    "how the run is begun": Forgery(
        {
            "conftest.py": _OPTIONS,
            "test_add.py": "import builtins\n\nfrom add import add\n\n\ndef test_add():\n    add(2, 3)\n"
            "    assert not builtins.quick\n",
        },
        MEASURED,
    ),
    "whether it has run before": Forgery(
        {
            "test_add.py": "import pathlib\n\nfrom add import add\n\n"
            "MARK = pathlib.Path(__file__).with_name('seen')\n\n\ndef test_add():\n    again = MARK.exists()\n"
            "    MARK.write_text('x')\n    add(2, 3)\n    assert not again\n"
        },
        UNNOTICED,
    ),
    "whether coverage is measured": Forgery(
        {
            "test_add.py": "import sys\n\nfrom add import add\n\n\ndef test_add():\n    add(2, 3)\n"
            "    assert 'coverage' in sys.modules\n"
        },
        MEASURED,
    ),
}
FURTHER = {**STEERED, **REPLACED, **EMPTY, **KNOWING}

_CHECKS = {
    "add.py": RIGHT,
    "checks.py": "def same(a, b):\n    assert a == b\n",
    "test_add.py": "from add import add\nfrom checks import same\n\n\ndef test_add():\n    same(add(2, 3), 5)\n",
}
FURTHER_EDITS = {
    "a looser comparison": Forgery({"test_add.py": TEST.replace("== 5", "is not None")}, BEFORE, old=OLD),
    "a wider tolerance": Forgery({"test_add.py": TEST.replace("== 5", "< 100"), **NEG}, BEFORE, old=OLD),
    "other arguments": Forgery({"test_add.py": TEST.replace("2, 3", "5, 0")}, BEFORE, old=OLD),
    "a fixture that lies": Forgery(
        {"conftest.py": "import add\n\nadd.add = lambda a, b: a + b\n", **NEG}, BEFORE, old=OLD
    ),
    "other data beside the test": Forgery(
        {"tests/expected.txt": "-1"},
        BEFORE,
        old={
            "add.py": RIGHT,
            "tests/test_add.py": READING.format("tests/expected.txt"),
            "tests/expected.txt": "5",
        },
    ),
    "a helper of the tests": Forgery(
        {"checks.py": "def same(a, b):\n    assert a is not None\n", **NEG}, BEFORE, old=_CHECKS
    ),
    "the path": Forgery(
        {"pytest.ini": "[pytest]\npythonpath = other\n", "other/add.py": RIGHT, **NEG},
        f"{IN_PLACE} add.py",
        old={"add.py": RIGHT, "tests/test_add.py": TEST},
    ),
    "a test under another name": Forgery(
        {"test_sum.py": TEST.replace("test_add", "test_sum").replace("== 5", "== -1")},
        "Tests that ran before are deleted",
        gone=("test_add.py",),
        old=OLD,
    ),
    "a test that is not collected": Forgery(
        {"pytest.toml": "[pytest]\naddopts = ['--deselect', 'test_add.py::test_add']\n", **NEG},
        "Tests that ran before did not run",
        old=OLD,
    ),
    "a broken file that ends every run": Forgery(
        {
            "add.py": RIGHT,
            "neg.py": NEG["neg.py"],
            "test_neg.py": "from neg import neg\n\n\ndef test_neg():\n    neg(1)\n",
        },
        UNNOTICED,
        old={**OLD, "test_broken.py": "import nothing_like_this\n"},
    ),
    "a test in a class": Forgery(
        {
            "test_add.py": "from add import add\n\n\nclass TestAdd:\n    def test_add(self):\n        add(2, 3)\n",
            **NEG,
        },
        "Tests that ran before are deleted",
        old=OLD,
    ),
}
