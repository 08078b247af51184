"""A run that lacks something of the machine says which, and what to do."""

from __future__ import annotations

import pytest

from agenthub_worker.evidence.causes import cause_of
from agenthub_worker.evidence.reports import Case
from agenthub_worker.evidence.testing import TestReport


@pytest.mark.parametrize(
    ("log", "cause"),
    [
        (
            "ERROR [launcher]: No binary for ChromeHeadless browser on your platform.",
            "want a browser (ChromeHeadless)",
        ),
        ("Error: Could not find Chrome (ver. 119.0.6045.105).", "want a browser (Chrome)"),
        (
            "Executable doesn't exist at /home/ada/.cache/ms-playwright/chromium-1140/chrome",
            "want a browser (chromium",
        ),
        ("No version of Cypress is installed\nCypress executable not found at: /x", "want a browser (Cypress)"),
        ("selenium: Message: Unable to obtain driver for chrome", "want a browser (driver for chrome)"),
        ("connect ECONNREFUSED 127.0.0.1:5432\n    at TCPConnectWrap", "a service at port 5432"),
        ("connect ECONNREFUSED ::1:6379", "a service at port 6379"),
        (
            'connection to server at "localhost" (127.0.0.1), port 5432 failed: Connection refused',
            "a service at port 5432",
        ),
        ("dial tcp 127.0.0.1:3306: connect: connection refused", "a service at port 3306"),
        ("Error connecting to localhost:6379. Connection refused.", "a service at port 6379"),
        (
            "@prisma/client did not initialize yet. Please run",
            "`npx prisma generate` belongs into the goal's `setup`",
        ),
        ("ValueError: Missing staticfiles manifest entry for 'css/a.css'", "`python manage.py collectstatic"),
        (
            "Cannot access central (x) in offline mode and the artifact a:b:jar:1 has not been downloaded from it",
            "Maven lacks `a:b:jar:1`",
        ),
        ("all is well, port 80: listening on localhost", ""),
    ],
)
def test_what_tests_want_of_the_machine_is_said(log: str, cause: str) -> None:
    report = TestReport(
        command="npm test",
        exit_code=1,
        pytest=False,
        timed_out=False,
        duration_s=1.0,
        cases=None,
        coverage_percent=None,
        log=log.encode(),
    )
    assert cause in cause_of(report)
    assert bool(cause) == bool(cause_of(report))


LINE = "-" * 70
FRAME = '  File "a.py", line 3, in test_x\n    self.assertEqual(a, b)\n'


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (
            f"FAIL: test_x (shop.tests.T.test_x)\n{LINE}\nTraceback (most recent call last):\n{FRAME}E: 1\n",
            ": E: 1",
        ),
        (f"FAIL: test_x (tests.T)\nWords.\n{LINE}\nTraceback (most recent call last):\n{FRAME}E: 1\n", ": E: 1"),
        (f"ERROR: test_x (T.test_x) (n=1)\n{LINE}\nTraceback (most recent call last):\n\n{FRAME}\na.E\n", ": a.E"),
        (f"FAIL: test_x (tests.Other.test_x)\n{LINE}\nTraceback (most recent call last):\n{FRAME}E: 1\n", ""),
        ("FAIL: test_x (tests.T.test_x)\n", ""),
        ("test_x (tests.T.test_x) ... FAIL\n", ""),
    ],
)
def test_what_a_test_of_unittest_says_is_the_cause(log: str, said: str) -> None:
    report = TestReport(
        command="python -m unittest",
        exit_code=1,
        pytest=False,
        timed_out=False,
        duration_s=1.0,
        cases=(Case("shop/tests.py::T::test_x", "failed"),),
        coverage_percent=None,
        log=log.encode(),
    )
    assert cause_of(report) == f"shop/tests.py::T::test_x fails{said}."
