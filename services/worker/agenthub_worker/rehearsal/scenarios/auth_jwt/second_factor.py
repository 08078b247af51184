"""The one change that this sample knows: one-time codes as a second factor."""

from __future__ import annotations

import re

from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.steps import (
    CHECKED,
    create,
    first_error,
    line_of,
    read_test_run,
    replace,
    report,
    sources,
    stuck,
)
from agenthub_worker.rehearsal.turns import Performance, Script, Turn, call

FEEDBACK = "Please add 2FA support"
FIRST_KEY = "implement-2fa-support"
_PACKAGE = "agenthub_worker.rehearsal.scenarios.auth_jwt"
_SERVICE = "auth/service.py"
_TEST_FILE = "tests/test_two_factor.py"

_EDITS = (
    (
        "from auth.throttle import LoginThrottle\n",
        "from auth.throttle import LoginThrottle\n"
        "from auth.two_factor import SecondFactor, SecondFactorRequired\n",
    ),
    (
        "        throttle: LoginThrottle,\n    ) -> None:\n",
        "        throttle: LoginThrottle,\n        second_factor: SecondFactor | None = None,\n    ) -> None:\n",
    ),
    (
        "        self._throttle = throttle\n",
        "        self._throttle = throttle\n        self._second_factor = second_factor\n",
    ),
    (
        "    def login(self, email: str, password: str) -> TokenPair:\n"
        '        """A first pair of tokens. Raises InvalidCredentials or TooManyAttempts."""\n',
        "    def login(self, email: str, password: str, code: str | None = None) -> TokenPair:\n"
        '        """A first pair of tokens; `code` is the second factor, for accounts that have one.\n\n'
        "        Raises InvalidCredentials, SecondFactorRequired or TooManyAttempts.\n"
        '        """\n',
    ),
    (
        "        self._throttle.succeeded(account)\n",
        "        if self._second_factor is not None:\n"
        "            self._check_second_factor(self._second_factor, user, code, account)\n"
        "        self._throttle.succeeded(account)\n",
    ),
    (
        "    def authenticate(self,",
        "    def _check_second_factor(\n"
        "        self, factor: SecondFactor, user: User, code: str | None, account: str\n"
        "    ) -> None:\n"
        "        try:\n"
        "            factor.check(user.user_id, code)\n"
        "        except SecondFactorRequired:\n"
        "            if code is not None:\n"
        "                self._throttle.failed(account)\n"
        "            raise\n\n"
        "    def authenticate(self,",
    ),
)


def asked_for(feedback: str) -> bool:
    """Whether the feedback asks for a second factor."""
    return re.search(r"\b2fa\b|two[- ]factor|second factor", feedback, re.I) is not None


def plan(conversation: Conversation) -> Turn:
    """The two tasks of the change."""
    ids = list(conversation.requirements)
    return call(
        "submit_plan",
        text="Two-factor login touches the login service only; everything else stays.",
        analysis={
            "summary": "One-time codes (RFC 6238) with recovery codes, switched on per account.",
            "complexity": "medium",
            "assumptions": ["existing logins without a second factor stay as they are"],
        },
        tasks=[
            {
                "key": FIRST_KEY,
                "title": "Implement two-factor login with one-time codes",
                "details": "TOTP by RFC 6238, enrolment, recovery codes; AuthService.login takes a code.",
                "agent": "coding",
                "depends_on": [],
                "complexity": "medium",
                "estimate_minutes": 45,
                "acceptance": [
                    "the vectors of RFC 6238 come out",
                    "a code works once",
                    "logins without 2FA are unchanged",
                ],
                "requirement_ids": [],
                "writes": ["auth/totp.py", "auth/two_factor.py", _SERVICE, "docs/two-factor.md"],
            },
            {
                "key": "write-2fa-tests",
                "title": "Write and run the tests of two-factor login",
                "details": f"{_TEST_FILE}: vectors, replay, recovery codes, the way through the login.",
                "agent": "testing",
                "depends_on": [FIRST_KEY],
                "complexity": "low",
                "estimate_minutes": 25,
                "acceptance": ["all tests pass, old and new"],
                "requirement_ids": [
                    number for number in ids if "test" in conversation.requirements[number].lower()
                ],
                "writes": [_TEST_FILE],
            },
        ],
    )


def _implementing(_: Conversation) -> Performance:
    found = yield call("grep", text="Is any of it there already?", pattern="def _check_second_factor", path="auth")
    calls = create(sources(_PACKAGE, ("auth/totp.py", "auth/two_factor.py", "docs/two-factor.md")))
    if line_of(found[0], _SERVICE) is None:
        calls = (*calls, *(replace(_SERVICE, old, new) for old, new in _EDITS))
    written = yield Turn("I add the codes and let the login ask for them.", calls)
    if error := first_error(written):
        yield from stuck("The login service could not be changed.", error)
        return
    command = (
        "python -B -c 'import inspect; from auth.service import AuthService;"
        ' assert "code" in inspect.signature(AuthService.login).parameters;'
        f" assert AuthService._check_second_factor' && echo {CHECKED}"
    )
    checked = yield call("bash", command=command)
    if CHECKED not in checked[0].text:
        yield from stuck("The login service does not take codes after my edits.", checked[0].text)
        return
    ran = yield call("run_tests", text="Does everything else still work?")
    run = read_test_run(ran[0])
    if run is None or not run.green:
        yield from stuck("Tests that passed before now fail.", ran[0].text)
        return
    yield report(
        "Two-factor login is in place.",
        "2FA implemented: auth/totp.py, auth/two_factor.py, and a code at login for accounts that switched it on",
        tests_run=run.counts,
    )


def _testing(_: Conversation) -> Performance:
    yield Turn("I test the codes and their place in the login.", create(sources(_PACKAGE, (_TEST_FILE,))))
    ran = yield call("run_tests", text="All tests, old and new.")
    run = read_test_run(ran[0])
    if run is None or not run.green:
        yield from stuck("Tests of the second factor fail.", ran[0].text)
        return
    yield report("Everything passes.", f"Tests of two-factor login written; {run.counts}", tests_run=run.counts)


SCRIPTS: dict[str, Script] = {f"t-{FIRST_KEY}": _implementing, "t-write-2fa-tests": _testing}
