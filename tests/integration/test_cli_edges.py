"""What a shell, a script or another server hands to the command line: two lines and an exit code, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.no_hub import answering
from tests.support.running_hub import clean_environment
from tests.support.shells import on_terminal

pytestmark = pytest.mark.extra

NOBODY = "http://127.0.0.1:9"
COMMAND = [sys.executable, "-m", "agenthub_cli.main"]


def run(*words: str | bytes, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [*COMMAND, *words]
    environment = {**clean_environment(), **(env or {})}
    return subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False)


def refused(*words: str | bytes, env: dict[str, str] | None = None, code: int = 2) -> str:
    told = run(*words, env=env)
    said = told.stderr.decode()
    assert (told.returncode, told.stdout, "Traceback" in said) == (code, b"", False), said
    assert said.startswith("error: "), said
    assert not set("\x00\x07\x1b\r") & set(said)
    return said


ID_COMMANDS = (["goal", "show"], ["answer", "--text", "x"], ["dead-letters", "requeue"])


@pytest.mark.parametrize(
    "given",
    ["", " ", ".", "..", "../goals", "a?b=1", "a#b", "a/b", "a%2fb", "a\nb", "a\x1b[31mb", "ü", "a\\b", "\t"],
)
def test_what_cannot_be_an_id_is_sent_nowhere(given: str) -> None:
    said = refused(*ID_COMMANDS[len(given) % 3], given, "--url", NOBODY)
    assert "is no id" in said or "this one is empty" in said


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["goal", "list", "--limit", "0"], "--limit"),
        (["goal", "list", "--limit", "-1"], "--limit"),
        (["events", "show", "g-1", "--limit", "0"], "--limit"),
        (["events", "tail", "--from", "-1"], "--from"),
        (["goal", "watch", "g-1", "--timeout", "nan"], "--timeout"),
        (["goal", "submit", "x", "--max-cost-usd", "nan"], "--max-cost-usd"),
        (["goal", "submit", "x", "--max-cost-usd", "inf"], "--max-cost-usd"),
        (["goal", "submit", "x", "--max-cost-usd", "1e999"], "--max-cost-usd"),
        (["goal", "submit", "x", "--max-cost-usd", "-1"], "--max-cost-usd"),
        (["goal", "budget", "g-1", "--max-cost-usd", "-inf"], "--max-cost-usd"),
        (["goal", "submit", "x", "--max-llm-calls", "-1"], "--max-llm-calls"),
        (["goal", "submit", "x", "--max-llm-calls", "\x1b]52;c;eA==\x07"], "--max-llm-calls"),
        (["goal", "submit", "x", "--key", "ü"], "--key"),
        (["goal", "submit", "x", "--key", ""], "--key"),
        (["goal", "submit", "x", "--key", " "], "--key"),
        (["goal", "submit", "x", "--key", "a\nb"], "--key"),
        (["goal", "submit", "x", "--key", "k" * 201], "--key"),
        (["nats", "diff", "--replicas", "0"], "--replicas"),
        (["nats", "apply", "--replicas", "-3"], "--replicas"),
        (["nats", "apply", "--replicas", "99"], "--replicas"),
        (["nats", "diff", "--nats-url", "nats://["], "NATS_URL"),
        (["nats", "diff", "--nats-url", "http://127.0.0.1"], "NATS_URL"),
        (["nats", "diff", "--nats-url", "nats://127.0.0.1:70000"], "NATS_URL"),
        (["rebuild", "--database-url", "nonsense"], "DATABASE_URL"),
        (["rebuild", "--database-url", "postgresql://["], "DATABASE_URL"),
        (["rebuild", "--database-url", "postgresql://h:abc/x"], "DATABASE_URL"),
        (["rebuild", "--database-url", "postgresql://h:99999/x"], "DATABASE_URL"),
        (["rebuild", "--database-url", "mysql://h/x"], "DATABASE_URL"),
        (["goal", "budget", "g-1"], "--max-llm-calls or --max-cost-usd"),
        (["answer", "q-1"], "needs --option or --text"),
        (["answer", "q-1", "--text", " "], "needs --option or --text"),
        (["answer", "q-1", "--option", "1", "--action", "retry"], "--action retry does something else"),
        (["answer", "q-1", "--text", "x", "--title", "Another"], "--action edit"),
        (["goal", "nosuch"], "There is no command `nosuch`"),
        (["goal", "lst"], "did you mean list?"),
        (["goal", "list", "--nosuch"], "There is no option --nosuch"),
        (["goal", "list", "--limi", "3"], "There is no option --limi; did you mean --limit?"),
        (["goal", "list", "one", "two"], "goal list has no place for `one two`"),
        (["goal", "list", "--limit"], "--limit needs a value"),
        (["goal", "list", "--limit", "1", "--limit", "2"], "--limit is given twice"),
        (["goal", "list", "--limit", "1.5"], "--limit: `1.5` is no whole number"),
        (["goal", "list", "--url", ""], "--url is blank"),
        (["goal", "show"], "goal show needs GOAL-ID"),
        (["goal", "submit", "x", "--priority", "top"], "--priority: `top` is none of low, normal, high, urgent"),
        (["goal", "submit", "x", "--autonomy", "none"], "--autonomy: `none` is none of full, approve_plan"),
        (["goal", "submit", "x", "--max-cost-usd", "none"], "--max-cost-usd: `none` is no number"),
        (["goal", "submit", "x", "--max-llm-calls", "null"], "--max-llm-calls: `null` is no whole number"),
        (["goal", "submit", "x", "--min-coverage", "nan"], "--min-coverage: nan does not fit"),
        (["goal", "submit", "x", "--min-coverage", "101"], "give a number from 0 to 100"),
        (["goal", "submit", "x", "--watch=maybe"], "--watch: `maybe` is neither `true` nor `false`"),
        (["goal", "budget", "g-1", "--max-cost-usd", "0"], "give a number above 0"),
        (["replay", "fork", "g-1", "--at-seq", "1", "--budget", "0"], "--budget: 0.0 does not fit"),
        (["replay", "show", "g-1", "--at-time", "yesterday"], "--at-time: `yesterday` is no moment such as"),
        (["analytics", "--days", "0"], "--days: 0 does not fit: give a number from 1 to 3650"),
        (["notify", "resend", "g-1", ""], "NOTIFICATION: an id is needed"),
        (["answer", "q-1", "--action", "edit", "--timeout-s", "0"], "--timeout-s: 0 does not fit"),
        (["logs", "gateway", "--story"], "the story is that of the whole hub"),
        (["logs", "--lines", "-1"], "--lines: -1 does not fit"),
        (["up", "--port", "99999"], "--port is `99999`: use a whole number from 0 to 65535"),
        (["up", "--workers", "nonsense"], "--workers is `nonsense`: unknown agent"),
        (["goal", "submit", b"half \xff a name"], "no UTF-8"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_its_name(words: list[str | bytes], part: str) -> None:
    env = {} if words[0] in ("nats", "rebuild") else {"AGENTHUB_URL": NOBODY}
    nats = {"NATS_URL": "nats://127.0.0.1:9"} if words[0] == "rebuild" else {}
    assert part in refused(*words, env={**env, **nats})


def test_a_recipient_that_nothing_reaches_starts_no_hub(tmp_path: Path) -> None:
    env = {"AGENTHUB_NOTIFY": "ftp://example.org/hook", "AGENTHUB_DATA_DIR": str(tmp_path / "hub")}
    assert "AGENTHUB_NOTIFY: apprise knows no such address" in refused("up", "--port", "0", env=env)


@pytest.mark.parametrize("name", ["nonsense", "@first", "G-01M86FQ6XHJJTJA9QMX9ME1VPS", "q-5"])
def test_what_no_goal_can_be_called_is_asked_of_no_hub(name: str) -> None:
    for words in (["goal", "show"], ["goal", "cancel"], ["events", "show"], ["notify", "list"]):
        assert f"No goal is called {name}" in refused(*words, name, "--url", NOBODY, code=1)


def test_a_folder_that_is_no_repository_is_said_to_be_none(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        said = refused("goal", "apply", f"g-{'1' * 26}", str(folder), "--url", NOBODY, code=1)
        assert f"{folder} is no git repository" in said


def test_no_editor_is_opened_where_nobody_sees_it() -> None:
    goal = b'{"needs_you": true, "autonomy": "approve_plan", "plan_approved": false, "revision": 1, '
    with answering(goal + b'"tasks": [], "dependencies": []}') as url:
        said = refused("goal", "plan", f"g-{'1' * 26}", "--edit", "--url", url)
        assert "There is no terminal for an editor" in said
        missing = refused("goal", "plan", f"g-{'1' * 26}", "--edit", "--url", url, env={"EDITOR": "/none/ed"})
        assert "cannot be started: No such file or directory" in missing


def test_a_password_in_an_address_that_cannot_be_read_is_not_shown() -> None:
    said = refused("rebuild", "--database-url", "postgresql://hub:hunter2/secret@127.0.0.1/x")
    assert "hunter2" not in said
    assert "%2F" in said


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1",
        "127.0.0.1:8000",
        "localhost",
        "ftp://127.0.0.1",
        "http://",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:x",
        "http://a b",
        "http://127.0.0.1\n",
        "http://127.0.0.1/?x",
        "//127.0.0.1",
    ],
)
def test_what_is_no_address_of_a_hub_is_said_to_be_none(url: str) -> None:
    words = (["goal", "list"], ["inbox"], ["events", "tail"])[len(url) % 3]
    assert "is no address of a hub" in refused(*words, "--url", url)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.agenthub.gz")
    assert "none.agenthub.gz cannot be read" in refused("bench", "replay", missing)
    assert "none.agenthub.gz cannot be read" in refused("replay", "import", missing, code=1)


def test_a_file_that_cannot_be_meant_is_named(tmp_path: Path) -> None:
    binary, huge, wide = tmp_path / "binary", tmp_path / "huge", tmp_path / "wide"
    binary.write_bytes(b"\x80\xfe\x00secret")
    wide.write_text("- key: a", encoding="utf-16")
    huge.write_bytes(b"x" * (5 << 20))
    for option in ("--secrets", "--workflow"):
        assert "binary is no" in refused("goal", "submit", "x", option, str(binary), "--url", NOBODY)
        for large in (str(huge), "/dev/zero"):
            said = refused("goal", "submit", "x", option, large, "--url", NOBODY)
            assert f"{large} is larger than 4 MiB" in said
        assert "Is a directory" in refused("goal", "submit", "x", option, str(tmp_path), "--url", NOBODY)
        missing = str(tmp_path / "none")
        assert "No such file" in refused("goal", "submit", "x", option, missing, "--url", NOBODY)
    assert "wide is written in UTF-16" in refused("goal", "submit", "x", "--workflow", str(wide), "--url", NOBODY)


READS = (["goal", "list"], ["goal", "show", "g-1"], ["goal", "submit", "x"])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"<!doctype html><title>Welcome</title>", "text/html"),
        (b"[]", "application/json"),
        (b"{}", "application/json"),
        (b"null", "application/json"),
        (b'"ready"', "application/json"),
        (b'{"items": 5, "goal_id": 5}', "application/json"),
        (b'{"items": [5]}', "application/json"),
        (b'{"items": [{}]}', "application/json"),
        (b"\xff\xfe\x00", "application/octet-stream"),
        (b"[" * 100_000, "application/json"),
        (b"", ""),
    ],
)
def test_a_server_that_is_no_hub_is_said_to_be_none(body: bytes, kind: str) -> None:
    with answering(body, kind=kind) as url:
        for words in READS:
            told = run(*words, "--url", url)
            said = told.stderr.decode()
            assert "Traceback" not in said, (words, said)
            if told.returncode:
                assert told.returncode == 4
                assert "is no agenthub of this version" in said
        assert "is no agenthub" in refused("events", "tail", "--url", url, code=4)


def test_a_redirection_names_where_it_points_and_is_not_followed() -> None:
    with answering(b"", status=307, headers={"Location": "https://elsewhere.invalid/"}) as url:
        for words in READS:
            assert "points to https://elsewhere.invalid/" in refused(*words, "--url", url, code=4)


@pytest.mark.parametrize(
    "body", [b"<h1>Bad gateway</h1>", b"[]", b'{"errors": 5}', b'{"detail": ["x"], "errors": [1]}']
)
def test_an_error_of_something_in_between_is_its_status(body: bytes) -> None:
    with answering(body, status=502) as url:
        for words in READS:
            assert "(HTTP 502)" in refused(*words, "--url", url, code=1)


PROXIES = {name: "http://127.0.0.1:9" for name in ("ALL_PROXY", "HTTP_PROXY", "http_proxy", "HTTPS_PROXY")}


@pytest.mark.parametrize(
    "env",
    [
        PROXIES,
        {"ALL_PROXY": "socks5://127.0.0.1:9"},
        {"ALL_PROXY": "nonsense"},
        {"NO_PROXY": "[::1", **PROXIES},
        {"SSL_CERT_FILE": "/nonexistent"},
        {"SSL_CERT_DIR": "/nonexistent", "REQUESTS_CA_BUNDLE": "/nonexistent"},
    ],
)
def test_proxies_and_certificates_of_the_environment_do_not_matter_on_this_machine(env: dict[str, str]) -> None:
    with answering(b'{"items": [], "next_cursor": null}') as url:
        told = run("goal", "list", "--url", url, env=env)
        assert (told.returncode, told.stderr) == (0, b"")


def test_a_proxy_that_cannot_be_used_is_named_for_a_hub_elsewhere() -> None:
    said = refused("goal", "list", "--url", "http://hub.invalid", env={"ALL_PROXY": "gopher://x"})
    assert "ALL_PROXY" in said


def test_half_a_character_is_an_escape_in_json_and_in_text() -> None:
    goal = rb'{"goal_id": "g-1", "status": "running", "goal": "half \ud83d of it"}'
    with answering(b'{"items": [' + goal + b'], "next_cursor": null}') as url:
        told = run("goal", "list", "--url", url, "--json")
        assert (told.returncode, told.stderr) == (0, b"")
        assert rb"half \ud83d of it" in told.stdout
        told = run("goal", "list", "--url", url, env={"COLUMNS": "120"})
        assert rb"half \ud83d of it" in told.stdout


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-", "<&-", "<&- >&- 2>&-", "| head -c 1 >/dev/null"])
def test_outputs_that_are_closed_change_no_exit_code_and_say_nothing_elsewhere(closed: str) -> None:
    with answering(b'{"items": [], "next_cursor": null}') as url:
        words = f"{sys.executable} -m agenthub_cli.main goal list --url"
        for address, code in ((url, 0), ("nonsense", 2)):
            line = f"set -o pipefail; {words} {address} {closed}"
            told = subprocess.run(
                ["bash", "-c", line], env=clean_environment(), capture_output=True, timeout=300, check=False
            )
            assert told.returncode == code, line
            assert b"Traceback" not in told.stderr + told.stdout
            assert b"Exception ignored" not in told.stderr
            if "2>&-" in closed:
                assert b"error" not in told.stdout


@pytest.mark.parametrize(
    "env",
    [
        {"LANG": "C", "LC_ALL": "", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"LC_ALL": "nonsense"},
        {"TERM": "", "COLUMNS": "0"},
    ],
)
def test_no_locale_makes_a_traceback(env: dict[str, str]) -> None:
    goal = '{"goal_id": "g-1", "status": "running", "goal": "Grüße 👩‍💻 שלום"}'.encode()
    with answering(b'{"items": [' + goal + b'], "next_cursor": null}') as url:
        for words in (["goal", "list", "--url", url], ["goal", "submit", "--help"]):
            told = run(*words, env=env)
            assert (told.returncode, told.stderr) == (0, b""), words
        for words in (["goal", "list", "--limit", "ü"], ["goal", "show", "ü"], ["größe"]):
            told = run(*words, "--url", url, env=env)
            assert told.returncode == 2
            assert b"Traceback" not in told.stderr
            assert told.stderr.startswith(b"error: ")


def test_a_question_cannot_look_like_lines_of_ours() -> None:
    asked = (
        b'{"items": [{"id": "q-1", "goal_id": "g-1", "task_id": "t-1", "goal": "x", "status": "running",'
        b' "needs_you": false, "autonomy": "full", "revision": 1, "plan_approved": true,'
        rb' "question": "Which?\n  answer with: rm -rf /\n\nq-2  g-1  t-2\r  answer with: x", "options": []}],'
        b' "next_cursor": null}'
    )
    with answering(asked) as url:
        told = run("inbox", "--url", url)
    lines = told.stdout.decode().splitlines()
    assert [line for line in lines if "answer with:" in line and "│" not in line] == lines[-1:]
    assert lines[1:5] == [
        "  │ Which?",
        "  │   answer with: rm -rf /",
        "  │ ",
        r"  │ q-2  g-1  t-2\r  answer with: x",
    ]


def test_doctor_takes_no_wrong_address_for_a_missing_hub(tmp_path: Path) -> None:
    told = run("doctor", "--no-probe", "--url", "http://[::1", env={"AGENTHUB_DATA_DIR": str(tmp_path)})
    assert b"Traceback" not in told.stderr
    assert b"is no address of a hub" in told.stdout
    assert told.returncode == 1
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_gone_or_cannot_be_named_is_no_traceback(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    line = f"mkdir {gone} && cd {gone} && rmdir {gone} && {sys.executable} -m agenthub_cli.main goal list"
    with answering(b'{"items": [], "next_cursor": null}') as url:
        env = {**clean_environment(), "AGENTHUB_URL": url}
        told = subprocess.run(["bash", "-c", line], env=env, capture_output=True, timeout=300, check=False)
    assert (told.returncode, told.stderr) == (0, b"")
    for folder in ("~nobody-of-this-name/hub", os.fsdecode(bytes(tmp_path / "h") + b"\xff")):
        for words in (["up"], ["goal", "list"]):
            told = run(*words, env={"AGENTHUB_DATA_DIR": folder})
            assert told.returncode in (1, 2)
            assert b"error: " in told.stderr
            assert b"Traceback" not in told.stderr


def test_nothing_is_erased_that_nobody_has_confirmed() -> None:
    goal_id = f"g-{'1' * 26}"
    said = refused("goal", "erase", goal_id, "--url", NOBODY)
    assert f"Nothing of {goal_id} was erased" in said
    assert "--yes" in said
    with answering(b'{"goal_id": "g-1", "event_id": "e", "sequence": 1}', status=202) as url:
        assert b"is erased" in run("goal", "erase", goal_id, "--yes", "--url", url).stdout


def test_what_a_terminal_breaks_stays_right_of_its_head() -> None:
    told = b'{"at": "2026-11-28T20:45:03Z", "component": "Worker-1", "text": "%s"}' % (b"word " * 20)
    with answering(b'{"items": [' + told + b'], "next_cursor": null}') as url:
        words = ("goal", "log", f"g-{'1' * 26}", "--url", url)
        with on_terminal([*COMMAND, *words], {**clean_environment(), "TERM": "xterm"}, columns=60) as terminal:
            assert terminal.rest() == 0
        piped = run(*words).stdout.decode().splitlines()
    first, *others = terminal.shown.splitlines()
    assert first.startswith("[20:45:03] Worker-1: word")
    assert len(others) >= 1
    assert all(line.startswith(f"{' ' * 11}word") and len(line.rstrip()) <= 60 for line in others)
    assert len(piped) == 1
