"""The tasks of the first plan: real files, each checked by really importing or running it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agenthub_worker.rehearsal.conversation import Conversation
from agenthub_worker.rehearsal.steps import (
    CHECKED,
    create,
    first_error,
    read_test_run,
    report,
    sources,
    stuck,
)
from agenthub_worker.rehearsal.turns import Performance, Script, ToolCall, Turn, call

PACKAGE = "agenthub_worker.rehearsal.scenarios.auth_jwt"

TESTS = (
    "tests/conftest.py",
    "tests/test_jwt.py",
    "tests/test_refresh.py",
    "tests/test_accounts.py",
    "tests/test_service.py",
)
# What the bug in auth/jwt.py makes fail, by the names of the test functions.
FAILS_BY_THE_BUG = frozenset(
    {"test_a_refresh_token_works_only_once", "test_a_stolen_refresh_token_ends_the_whole_login"}
)

_SMOKE = """\
from auth.jwt import TokenService
from auth.passwords import PasswordHasher
from auth.service import AuthService, SystemClock
from auth.sessions import InMemorySessions
from auth.throttle import LoginThrottle
from auth.users import InMemoryUsers

clock = SystemClock()
tokens = TokenService(bytes(32), InMemorySessions(), clock)
service = AuthService(InMemoryUsers(), PasswordHasher(), tokens, LoginThrottle(clock))
user = service.register("ada@example.org", "correct horse battery")
pair = service.login("ada@example.org", "correct horse battery")
assert service.authenticate(pair.access_token).user_id == user.user_id
assert service.refresh(pair.refresh_token).access_token
service.logout(pair.refresh_token)
"""


def check(module: str, path: str) -> str:
    """A shell command that imports a module and counts the lines of its file."""
    return f"python -B -c 'import {module}' && wc -l {path} && echo {CHECKED}"


def _writes_code(path: str, what: str) -> Script:
    module = path.removesuffix(".py").replace("/", ".")

    def script(_: Conversation) -> Performance:
        written = yield Turn(f"I write {path}.", create(sources(PACKAGE, (path,))))
        if error := first_error(written):
            yield from stuck(f"{path} could not be written.", error)
            return
        checked = yield call("bash", text="Does it import?", command=check(module, path))
        if CHECKED not in checked[0].text:
            yield from stuck(f"{path} does not import.", checked[0].text)
            return
        yield report(f"{what} is in place.", f"{what} finished ({path}, {_lines(checked[0].text)} lines)")

    return script


def _writes_texts(paths: Sequence[str], summary: str, *, insight: str = "") -> Script:
    def script(_: Conversation) -> Performance:
        calls = create(sources(PACKAGE, paths))
        if insight:
            calls = (*calls, ToolCall("record_knowledge", {"kind": "decision", "text": insight}))
        written = yield Turn(f"I write {', '.join(paths)}.", calls)
        if error := first_error(written):
            yield from stuck(f"{paths[0]} could not be written.", error)
            return
        yield report("The text is written.", summary, insights=[insight] if insight else [])

    return script


def _joining(_: Conversation) -> Performance:
    written = yield Turn("The parts are there; I join them.", create(sources(PACKAGE, ("auth/service.py",))))
    if error := first_error(written):
        yield from stuck("auth/service.py could not be written.", error)
        return
    command = f"python -B - <<'EOF'\n{_SMOKE}EOF\n[ $? -eq 0 ] && wc -l auth/service.py && echo {CHECKED}"
    tried = yield call("bash", text="One person's whole way, with the real parts.", command=command)
    if CHECKED not in tried[0].text:
        yield from stuck("The joined parts do not work together.", tried[0].text)
        return
    lines = _lines(tried[0].text)
    yield report(
        "Register, login, refresh, logout: done.", f"Login service finished (auth/service.py, {lines} lines)"
    )


def _testing(_: Conversation) -> Performance:
    written = yield Turn("I write tests for every acceptance line.", create(sources(PACKAGE, TESTS)))
    if error := first_error(written):
        yield from stuck("The tests could not be written.", error)
        return
    ran = yield call("run_tests", text="Tests written, running them.")
    run = read_test_run(ran[0])
    if run is None or run.errors or run.failed != len(run.failing):
        yield from stuck("The tests could not be run as expected.", ran[0].text)
        return
    if {name_of(test_id) for test_id in run.failing} != FAILS_BY_THE_BUG:
        yield from stuck(f"I expected two failing tests about refresh tokens, but: {run.counts}.", ran[0].text)
        return
    covered = f"{run.coverage}% coverage" if run.coverage else "coverage not measured"
    yield report(
        f"{run.failed} tests fail. I report them; the tests are right and stay as they are.",
        f"Tests written ({covered}); {run.failed} tests failed: {', '.join(run.failing)}",
        tests_run=run.counts,
        insights=["A refresh token can be used twice: see the failing tests in tests/test_refresh.py."],
    )


def name_of(test_id: str) -> str:
    """The function's name in a test id, whichever way the id is written."""
    return re.split(r"::|\.", test_id.partition("[")[0])[-1]


def _lines(text: str) -> str:
    found = re.search(r"(\d+) \S+\.py", text)
    return found.group(1) if found else "?"


SCRIPTS: dict[str, Script] = {
    "t-analyze-requirements": _writes_texts(
        ("docs/requirements.md",), "Completed analysis, found 3 core components: accounts, tokens, login service"
    ),
    "t-design-architecture": _writes_texts(
        (".gitignore", "pyproject.toml", "auth/__init__.py", "auth/ports.py", "docs/architecture.md"),
        "Architecture designed: five independent parts behind the interfaces in auth/ports.py",
        insight="auth/ports.py is the contract: parts import it and never each other; the clock is passed in.",
    ),
    "t-implement-jwt-module": _writes_code("auth/jwt.py", "JWT module"),
    "t-implement-password-hashing": _writes_code("auth/passwords.py", "Password hashing"),
    "t-implement-user-store": _writes_code("auth/users.py", "User store"),
    "t-implement-session-store": _writes_code("auth/sessions.py", "Session store"),
    "t-implement-rate-limiter": _writes_code("auth/throttle.py", "Throttle against guessing"),
    "t-implement-login-service": _joining,
    "t-write-tests": _testing,
    "t-document-api": _writes_texts(("docs/api.md",), "API documented in docs/api.md"),
    "t-write-threat-model": _writes_texts(
        ("docs/threat-model.md",), "Threat model written: seven threats answered, one named as open"
    ),
    "t-write-readme": _writes_texts(("README.md",), "README written"),
}
