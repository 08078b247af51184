"""One forgery of each kind, and the examples that once passed: they are tried with every run of the tests."""

from __future__ import annotations

from tests.support.forgeries.kinds import (
    BEFORE,
    CASE,
    IN_PLACE,
    NEG,
    NEVER_WRONG,
    NOT_RUN,
    OF_THE_TEXT,
    RIGHT,
    TEST,
    UNKNOWN,
    UNNOTICED,
    WRONG,
    Forgery,
    test_of,
)

CALLED = "globals()['pytest_pyfunc_' + 'call'] = lambda pyfuncitem: True\n"
AT_EXIT = r"""import atexit
import os
import re


def _end():
    options = os.environ.get("PYTEST_" + "ADDOPTS", "")
    found = re.search(r"--junit" + r"xml=(\S+)", options)
    if found:
        cases = "<testcase classname='test_add' file='test_add.py' name='test_add' time='0.1'/>"
        with open(found[1], "w") as file:
            file.write(f"<testsuites><testsuite tests='1'>{cases}</testsuite></testsuites>")
    os._exit(0)


atexit.register(_end)
"""
SCRIPT = r"""
import os, re
path = re.search(r"--junitxml=(\S+)", os.environ["PYTEST_ADDOPTS"])[1]
open(path, "w").write("<testsuites><testsuite><testcase file='test_add.py' classname='test_add' name='test_add'/>"
    "</testsuite></testsuites>")
"""
HASHED = (
    "import hashlib\nimport pathlib\n\nfrom add import add\n\n\ndef test_add():\n    add(2, 3)\n"
    "    text = pathlib.Path(__file__).with_name('add.py').read_bytes()\n"
    f"    assert len(text) == {len(WRONG)} and hashlib.sha256(text).hexdigest()\n"
)

TELLING = {
    "setup only": Forgery({"pytest.ini": "[pytest]\naddopts = --setup-only\n"}, UNKNOWN),
    "stub on the path": Forgery(
        {"pytest.ini": "[pytest]\npythonpath = stub\n", "stub/add.py": RIGHT, "tests/test_below.py": TEST},
        f"{IN_PLACE} add.py",
        gone=("test_add.py",),
    ),
    "conftest is a link": Forgery({"notes.txt": CALLED}, "symbolic link", links={"conftest.py": "notes.txt"}),
    "conftest in another encoding": Forgery(
        {"conftest.py": "# coding: unicode_escape\n" + CALLED.replace("pytest", "\\x70ytest")}, "is not UTF-8"
    ),
    "hook under a made-up name": Forgery({"conftest.py": CALLED}, UNKNOWN),
    "product code writes the report": Forgery({"add.py": AT_EXIT + "\n\n" + WRONG}, UNKNOWN),
    "a script prints the report": Forgery({"run.py": SCRIPT}, UNKNOWN, command="python run.py"),
    "an assertion of a tuple": Forgery(test_of("assert (add(2, 3) == 5, 'sum')"), UNNOTICED),
    "a test that knows the text": Forgery({"test_add.py": HASHED}, OF_THE_TEXT),
    "unittest without its assertions": Forgery(
        {
            "add.py": f"import unittest\n\nunittest.TestCase.assertEqual = lambda *a: None\n\n\n{WRONG}",
            "test_add.py": CASE,
        },
        UNKNOWN,
        command="python -m unittest",
    ),
    "tests in a folder that is left out": Forgery(
        {"pytest.ini": "[pytest]\nnorecursedirs = real\n", "real/test_add.py": TEST, "test_zero.py": NEVER_WRONG},
        NOT_RUN,
        gone=("test_add.py",),
    ),
    "metadata that loads a plugin": Forgery(
        {
            "green.py": CALLED,
            "green-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: green\nVersion: 1.0\n",
            "green-1.0.dist-info/entry_points.txt": "[pytest11]\ngreen = green\n",
        },
        "it would load plugins into pytest",
    ),
}

OLD = {"add.py": RIGHT, "test_add.py": TEST}
READING = (
    "import pathlib\n\nfrom add import add\n\n\ndef test_data():\n"
    "    wanted = pathlib.Path('{}').read_text()\n    assert add(2, 3) == int(wanted)\n"
)
TELLING_EDITS = {
    "the expected value": Forgery({"test_add.py": TEST.replace("== 5", "== -1")}, BEFORE, old=OLD),
    "the data of a test": Forgery(
        {"data/expected.txt": "-1"},
        BEFORE,
        old={"add.py": RIGHT, "test_add.py": READING.format("data/expected.txt"), "data/expected.txt": "5"},
    ),
    "the settings": Forgery({"pytest.ini": "[pytest]\naddopts = --setup-only\n", **NEG}, UNKNOWN, old=OLD),
}
