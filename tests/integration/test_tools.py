"""Every tool on a real workspace, in the real sandbox, beside a real repository."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agenthub_runtime.in_memory.artifacts import InMemoryArtifacts
from agenthub_runtime.repository.goal import ROOT_COMMIT, GoalRepository
from agenthub_worker.errors import SandboxUnavailable
from agenthub_worker.evidence.layout import given_test_command
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.sandbox.unsandboxed import Unsandboxed
from agenthub_worker.tools.contract import ToolContext, ToolResult
from agenthub_worker.tools.registry import call_tool

WHEN = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
EDIT = "str_replace_based_edit_tool"
FILES = {
    "README.md": "# Sums\n",
    "pkg/m.py": "def add(a, b):\n    return a - b\n",
    "tests/test_m.py": "from pkg.m import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n",
}


def replaced(context: ToolContext, **changes: Any) -> ToolContext:
    fields = {name: getattr(context, name) for name in context.__dataclass_fields__}
    return ToolContext(**{**fields, **changes})


@pytest.fixture
async def context(tmp_path: Path) -> ToolContext:
    repository = await GoalRepository.open(tmp_path / "goal.git", InMemoryArtifacts())
    workspace = tmp_path / "w"
    await repository.checkout(ROOT_COMMIT, workspace)
    for name, text in FILES.items():
        (workspace / name).parent.mkdir(exist_ok=True)
        (workspace / name).write_text(text)
    done = await repository.commit_workspace(workspace, parent=ROOT_COMMIT, message="m", when=WHEN)
    return ToolContext(workspace=workspace, sandbox=Bubblewrap(), repository=repository, base=done.commit)


async def edit(context: ToolContext, **given: Any) -> ToolResult:
    return await call_tool(context, EDIT, given)


async def test_bash_gives_output_and_exit_code(context: ToolContext) -> None:
    result = await call_tool(context, "bash", {"command": "cat README.md; pwd; exit 4"})
    assert result == ToolResult(text="# Sums\n/workspace\n[exit code 4]", changed_files=True)


async def test_bash_is_stopped_at_its_limit_and_says_so(context: ToolContext) -> None:
    result = await call_tool(context, "bash", {"command": "echo begun; sleep 600", "timeout_s": 0.5})
    assert result.is_error
    assert result.text.startswith("begun\n")
    assert "killed after 0.5 s" in result.text


async def test_fifty_megabytes_of_output_become_sixteen_thousand_characters(context: ToolContext) -> None:
    result = await call_tool(context, "bash", {"command": "head -c 50000000 /dev/zero | tr '\\0' x; echo end"})
    assert len(result.text) < 16_100
    assert "characters cut" in result.text
    assert result.text.endswith("end\n[exit code 0]")


async def test_the_editor_views_files_ranges_and_folders(context: ToolContext) -> None:
    assert (await edit(context, command="view", path="pkg/m.py")).text == (
        "     1\tdef add(a, b):\n     2\t    return a - b"
    )
    ranged = await edit(context, command="view", path="/workspace/pkg/m.py", view_range=[2, -1])
    assert ranged.text == "     2\t    return a - b"
    assert not ranged.changed_files
    listing = await edit(context, command="view", path=".")
    assert listing.text.splitlines() == ["README.md", "pkg/", "pkg/m.py", "tests/", "tests/test_m.py"]
    assert (await edit(context, command="view", path="/workspace")).text == listing.text


async def test_the_editor_creates_replaces_and_inserts(context: ToolContext) -> None:
    made = await edit(context, command="create", path="new/deep/x.py", file_text="a\nb\n")
    assert made == ToolResult(text="Created new/deep/x.py (2 lines).", changed_files=True, wrote="new/deep/x.py")
    assert (await edit(context, command="create", path="new/deep/x.py", file_text="a\nb")).text.startswith(
        "Replaced"
    )
    await edit(context, command="insert", path="new/deep/x.py", insert_line=2, insert_text="c")
    await edit(context, command="insert", path="new/deep/x.py", insert_line=0, insert_text="zero\n")
    replaced_line = await edit(context, command="str_replace", path="new/deep/x.py", old_str="b\n", new_str="B\n")
    assert replaced_line.text.startswith(
        "Replaced at line 3 of new/deep/x.py.\n     1\tzero\n     2\ta\n     3\tB\n"
    )
    assert (context.workspace / "new/deep/x.py").read_text() == "zero\na\nB\nc\n"
    await edit(context, command="str_replace", path="new/deep/x.py", old_str="B\n")
    assert (context.workspace / "new/deep/x.py").read_text() == "zero\na\nc\n"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("crlf.txt", b"one\r\ntwo\r\nthree\r\n"),
        ("mixed.txt", b"one\ntwo\r\nthree\n"),
        ("mac.txt", b"one\rtwo\rthree\r"),
        ("separators.txt", "one\x0c\ntwo\u2028still\x85two\nthree".encode()),
        ("escapes.txt", b"\x1b[1mone\x1b[0m\x07\ntwo\x00\nthree\n"),
        ("latin.txt", "é one\ntwo ß\nthree\n".encode("latin-1")),
        ("wide.txt", "\ufeffone\r\ntwö\r\nthree\r\n".encode("utf-16-le")),
        ("long.txt", b"one " + b"x" * 50_000 + b" end\ntwo\nthree\n"),
    ],
)
async def test_what_the_editor_shows_of_a_line_can_be_replaced(
    context: ToolContext, name: str, data: bytes
) -> None:
    file = context.workspace / name
    file.write_bytes(data)
    view = await edit(context, command="view", path=name, view_range=[2, 2])
    line = view.text.split("\n[")[0].partition("\t")[2]
    replaced_line = await edit(context, command="str_replace", path=name, old_str=f"{line}\n", new_str="2\n")
    assert not replaced_line.is_error, replaced_line.text
    assert "line 2" in replaced_line.text
    encoding = {"latin.txt": "latin-1", "wide.txt": "utf-16-le"}.get(name, "utf-8")
    assert file.read_bytes() == data.replace(line.encode(encoding), "2".encode(encoding), 1)


async def test_a_long_line_is_read_by_its_columns(context: ToolContext) -> None:
    (context.workspace / "min.js").write_text("a" * 20_000 + "needle" + "b" * 20_000)
    first = await edit(context, command="view", path="min.js")
    assert (
        "line 1 has 40006 characters; go on with `view_range` [1, 1] and `view_columns` [8001, 40006]"
        in first.text
    )
    part = await edit(context, command="view", path="min.js", view_range=[1, 1], view_columns=[20_001, 20_006])
    assert part.text == "     1\tneedle"
    wrong = await edit(context, command="view", path="min.js", view_columns=[50_000, 50_001])
    assert "`view_columns` [50000, 50001] does not fit line 1 of 40006 characters" in wrong.text


async def test_a_long_file_is_read_by_its_lines(context: ToolContext) -> None:
    (context.workspace / "long.txt").write_text("".join(f"line {n}\n" for n in range(1, 3001)))
    shown = (await edit(context, command="view", path="long.txt")).text.splitlines()
    following = int(shown[-2].split()[0]) + 1
    assert shown[-1] == (f"[lines {following} to 3000 are not shown; go on with `view_range` [{following}, 3000]]")
    assert len("\n".join(shown)) <= context.output_chars + 200


async def test_a_replacement_is_refused_when_it_would_change_nothing_or_is_ambiguous(context: ToolContext) -> None:
    file = context.workspace / "x.txt"
    file.write_bytes(b"one\r\naaa\r\n")
    same = await edit(context, command="str_replace", path="x.txt", old_str="one\r\n", new_str="one\n")
    assert same.is_error
    assert "nothing was changed" in same.text
    twice = await edit(context, command="str_replace", path="x.txt", old_str="aa", new_str="b")
    assert "occurs 2 times" in twice.text
    masked = await edit(context, command="str_replace", path="x.txt", old_str="[redacted]", new_str="b")
    assert "stands for a secret" in masked.text
    spaced = await edit(context, command="str_replace", path="x.txt", old_str="  one\n", new_str="b")
    assert "only its spaces or line breaks" in spaced.text
    assert file.read_bytes() == b"one\r\naaa\r\n"


async def test_names_outside_utf8_are_shown_as_the_tools_take_them(context: ToolContext) -> None:
    (context.workspace / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"caf\xe9 here\n")
    listing = await edit(context, command="view", path=".")
    assert "caf\\xe9.txt" in listing.text.splitlines()
    assert (await call_tool(context, "glob", {"pattern": "caf*"})).text == "caf\\xe9.txt"
    assert (await call_tool(context, "grep", {"pattern": "here"})).text == "caf\\xe9.txt:1:café here"
    view = await edit(context, command="view", path="caf\\xe9.txt")
    assert view.text == "     1\tcafé here\n[encoding cp1252; edits keep them]"


async def test_grep_shows_lines_as_the_editor_takes_them(context: ToolContext) -> None:
    (context.workspace / "odd.txt").write_bytes("a needle\x0cx\u2028y\r\nnaïve needle\r\n".encode())
    (context.workspace / "old.txt").write_bytes("naïve needle\n".encode("latin-1"))
    (context.workspace / "binary").write_bytes(b"needle\x00\xff\n")
    found = await call_tool(context, "grep", {"pattern": "needle"})
    assert found.text.split("\n") == [
        "odd.txt:1:a needle\x0cx\u2028y",
        "odd.txt:2:naïve needle",
        "old.txt:1:naïve needle",
    ]


async def test_a_write_that_fails_leaves_the_file_as_it_was(
    context: ToolContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fchmod", full)
    result = await edit(context, command="create", path="README.md", file_text="new")
    assert "No space left on device" in result.text
    assert sorted(os.listdir(context.workspace)) == [".git", "README.md", "pkg", "tests"]
    assert (context.workspace / "README.md").read_text() == "# Sums\n"


async def test_the_editor_keeps_modes_and_line_endings(context: ToolContext) -> None:
    script = context.workspace / "run.sh"
    script.write_bytes(b"#!/bin/sh\r\necho one\r\n")
    script.chmod(0o755)
    await edit(context, command="str_replace", path="run.sh", old_str="one", new_str="two")
    assert script.read_bytes() == b"#!/bin/sh\r\necho two\r\n"
    assert os.access(script, os.X_OK)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"command": "view", "path": "nope.py"}, "does not exist"),
        ({"command": "view", "path": "pkg", "view_range": [1, 2]}, "leave them out"),
        ({"command": "view", "path": "pkg/m.py", "view_range": [5, 9]}, "does not fit a file of 2 lines"),
        ({"command": "view", "path": "pkg/m.py", "view_range": [2, 1]}, "does not fit"),
        ({"command": "create", "path": "x"}, "`file_text` is missing"),
        ({"command": "create", "path": "pkg", "file_text": ""}, "is a folder"),
        ({"command": "create", "path": "README.md/x", "file_text": ""}, "failed"),
        ({"command": "str_replace", "path": "pkg/m.py", "old_str": "absent"}, "occurs 0 times"),
        ({"command": "str_replace", "path": "pkg/m.py", "old_str": "a"}, "times in pkg/m.py, and must occur once"),
        ({"command": "str_replace", "path": "pkg/m.py", "old_str": ""}, "is empty"),
        ({"command": "str_replace", "path": "pkg/m.py"}, "`old_str` is missing"),
        ({"command": "insert", "path": "pkg/m.py", "insert_text": "x"}, "`insert_line` is missing"),
        ({"command": "insert", "path": "pkg/m.py", "insert_line": 9, "insert_text": "x"}, "not between 0 and 2"),
        ({"command": "view", "path": "/etc/passwd"}, "outside of the workspace"),
        ({"command": "view", "path": "../goal.git/HEAD"}, "outside of the workspace"),
        ({"command": "create", "path": "/workspace/../x", "file_text": ""}, "outside of the workspace"),
        ({"command": "create", "path": "a\0b", "file_text": ""}, "null byte"),
        ({"command": "create", "path": "x" * 300, "file_text": ""}, "failed: File name too long"),
        ({"command": "create", "path": "big", "file_text": "x" * (3 << 20)}, "at most"),
    ],
)
async def test_the_editor_says_what_is_wrong_with_a_call(
    context: ToolContext, given: dict[str, Any], words: str
) -> None:
    result = await edit(context, **given)
    assert result.is_error
    assert words in result.text


def link_to_a_file(workspace: Path, outside: Path) -> str:
    (workspace / "way").symlink_to(outside / "secret.txt")
    return "way"


def link_to_a_folder(workspace: Path, outside: Path) -> str:
    (workspace / "way").symlink_to(outside)
    return "way/secret.txt"


def link_to_a_link(workspace: Path, outside: Path) -> str:
    (workspace / "one").symlink_to("two")
    (workspace / "two").symlink_to(outside)
    return "one/secret.txt"


def link_to_a_file_that_is_not_there(workspace: Path, outside: Path) -> str:
    (workspace / "way").symlink_to(outside / "made-by-the-tool.txt")
    return "way"


@pytest.mark.parametrize(
    "trap", [link_to_a_file, link_to_a_folder, link_to_a_link, link_to_a_file_that_is_not_there]
)
async def test_no_link_leads_a_file_tool_out_of_the_workspace(
    context: ToolContext, tmp_path: Path, trap: Callable[[Path, Path], str]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("hidden")
    path = trap(context.workspace, outside)
    for given in (
        {"command": "view", "path": path},
        {"command": "create", "path": path, "file_text": "x"},
        {"command": "str_replace", "path": path, "old_str": "hidden", "new_str": "x"},
        {"command": "insert", "path": path, "insert_line": 0, "insert_text": "x"},
    ):
        result = await edit(context, **given)
        assert result.is_error
        assert "outside of the workspace" in result.text
    assert sorted(os.listdir(outside)) == ["secret.txt"]
    assert (outside / "secret.txt").read_text() == "hidden"
    for name, given in (("grep", {"pattern": "hidden"}), ("glob", {"pattern": "**/secret.txt"})):
        assert (await call_tool(context, name, given)).text.startswith("No ")
    diff = await call_tool(context, "git_diff", {})
    assert "hidden" not in diff.text


async def test_links_inside_the_workspace_work(context: ToolContext) -> None:
    (context.workspace / "alias.py").symlink_to("pkg/m.py")
    await edit(context, command="str_replace", path="alias.py", old_str="a - b", new_str="a + b")
    assert "a + b" in (context.workspace / "pkg/m.py").read_text()


async def test_a_pipe_does_not_hang_the_editor(context: ToolContext) -> None:
    os.mkfifo(context.workspace / "pipe")
    assert "no plain file" in (await edit(context, command="view", path="pipe")).text
    assert (await edit(context, command="create", path="pipe", file_text="x")).is_error


async def test_glob_and_grep_find_files_and_lines(context: ToolContext) -> None:
    assert (await call_tool(context, "glob", {"pattern": "**/*.py"})).text == "pkg/m.py\ntests/test_m.py"
    assert (await call_tool(context, "glob", {"pattern": "*.py", "path": "pkg"})).text == "pkg/m.py"
    assert (await call_tool(context, "grep", {"pattern": "def (add|test_add)"})).text.splitlines() == [
        "pkg/m.py:1:def add(a, b):",
        "tests/test_m.py:4:def test_add():",
    ]
    assert (await call_tool(context, "grep", {"pattern": "add", "path": "pkg/m.py"})).text == (
        "pkg/m.py:1:def add(a, b):"
    )
    assert (await call_tool(context, "grep", {"pattern": "add", "glob": "*.md"})).text.startswith("No line fits")
    for pattern in ("--help", "-e"):
        assert (await call_tool(context, "grep", {"pattern": pattern})).text.startswith("No line fits")
    broken = await call_tool(context, "grep", {"pattern": "(("})
    assert broken.is_error
    assert (await call_tool(context, "glob", {"pattern": "../*"})).is_error
    assert (await call_tool(context, "grep", {"pattern": "x", "path": "nope"})).is_error


async def test_a_pattern_that_explodes_is_bounded(context: ToolContext) -> None:
    await edit(context, command="create", path="a.txt", file_text="a" * 5000)
    result = await call_tool(context, "grep", {"pattern": "^(a+)+$b", "path": "a.txt"})
    assert result.text.startswith("No line fits")


async def test_run_tests_speaks_the_fixed_form(context: ToolContext) -> None:
    red = await call_tool(context, "run_tests", {})
    lines = red.text.splitlines()
    assert lines[:5] == [
        "exit code 1",
        "0 passed, 1 failed, 0 errors, 0 skipped",
        "coverage 100%",
        "failing:",
        "tests/test_m.py::test_add",
    ]
    assert "assert -1 == 3" in red.text
    assert not red.is_error
    await edit(context, command="str_replace", path="pkg/m.py", old_str="a - b", new_str="a + b")
    green = await call_tool(context, "run_tests", {"paths": ["tests"]})
    assert green.text.splitlines()[:4] == [
        "exit code 0",
        "1 passed, 0 failed, 0 errors, 0 skipped",
        "coverage 100%",
        "output:",
    ]


async def test_run_tests_names_what_was_skipped_and_says_what_the_gate_thinks_of_it(context: ToolContext) -> None:
    skipping = "import pytest\n\n\ndef test_later():\n    pytest.skip('no time')\n"
    await edit(context, command="create", path="tests/test_later.py", file_text=skipping)
    text = (await call_tool(context, "run_tests", {"paths": ["tests/test_later.py"]})).text
    assert "0 passed, 0 failed, 0 errors, 1 skipped" in text
    assert "the tests gate refuses those that ran before" in text
    assert "tests/test_later.py::test_later: no time" in text


async def test_run_tests_refuses_paths_that_are_none_and_takes_a_given_command(context: ToolContext) -> None:
    assert (await call_tool(context, "run_tests", {"paths": ["--pdb"]})).is_error
    own = replaced(context, test_command=given_test_command("echo own; exit 3"))
    result = await call_tool(own, "run_tests", {})
    assert result.text.startswith("exit code 3\n")
    assert "own" in result.text


async def test_run_tests_without_a_test_command_says_what_to_do(context: ToolContext) -> None:
    await call_tool(context, "bash", {"command": "rm -r pkg tests"})
    result = await call_tool(context, "run_tests", {})
    assert result.is_error
    assert "test_command" in result.text


async def test_git_diff_shows_what_the_task_has_changed(context: ToolContext) -> None:
    assert (await call_tool(context, "git_diff", {})).text == "Nothing has changed."
    await edit(context, command="create", path="b.txt", file_text="new\n")
    await call_tool(context, "bash", {"command": "rm README.md; git status"})
    whole = (await call_tool(context, "git_diff", {})).text
    assert "+new" in whole
    assert "-# Sums" in whole
    part = (await call_tool(context, "git_diff", {"path": "/workspace/b.txt"})).text
    assert "+new" in part
    assert "Sums" not in part
    assert (await call_tool(context, "git_diff", {"path": "pkg"})).text == "Nothing has changed."


async def test_an_agent_that_may_only_look_cannot_write(context: ToolContext) -> None:
    looking = replaced(context, read_only=True)
    assert (await call_tool(looking, "bash", {"command": "cat README.md; echo x >README.md"})).text.startswith(
        "# Sums\n"
    )
    refused = await edit(looking, command="create", path="x", file_text="")
    assert refused.is_error
    assert not refused.changed_files
    assert not (await edit(looking, command="view", path="README.md")).is_error
    assert (context.workspace / "README.md").read_text() == "# Sums\n"
    open_box = replaced(looking, sandbox=Unsandboxed(allowed=True))
    assert "without a sandbox" in (await call_tool(open_box, "bash", {"command": "true"})).text


async def test_unknown_and_forbidden_tools_and_bad_input_are_results(context: ToolContext) -> None:
    unknown = await call_tool(context, "rm_rf", {})
    assert unknown.is_error
    assert "There is no tool `rm_rf` here. You have: ask_human, bash" in unknown.text
    forbidden = await call_tool(context, "bash", {"command": "ls"}, frozenset({"glob", "grep"}))
    assert forbidden.text == "There is no tool `bash` here. You have: glob, grep."
    bad = await call_tool(context, "bash", {"command": 5})
    assert bad.is_error
    assert "$.command" in bad.text
    assert msgspec.json.encode(bad)


async def test_a_machine_that_cannot_run_commands_is_not_the_models_fault(context: ToolContext) -> None:
    broken = replaced(context, sandbox=Bubblewrap(binary="/nonexistent/bwrap"))
    with pytest.raises(SandboxUnavailable):
        await call_tool(broken, "bash", {"command": "ls"})


async def test_output_is_given_on_as_it_comes(context: ToolContext) -> None:
    pieces: list[bytes] = []
    await call_tool(replaced(context, on_output=pieces.append), "bash", {"command": "echo one; echo two"})
    assert b"".join(pieces) == b"one\ntwo\n"


async def test_several_replacements_are_made_in_order_or_not_at_all(context: ToolContext) -> None:
    edits = [{"old_str": "add", "new_str": "plus"}, {"old_str": "plus(a, b)", "new_str": "plus(x, y)"}]
    made = await edit(context, command="str_replace", path="pkg/m.py", edits=edits)
    assert made.text.split("\n")[:2] == ["Replaced in 2 places of pkg/m.py.", "     1\tdef plus(x, y):"]
    half = [{"old_str": "plus", "new_str": "add"}, {"old_str": "return a + b", "new_str": "x"}]
    missed = await edit(context, command="str_replace", path="pkg/m.py", edits=half)
    assert missed.is_error
    assert "Edit 2 of 2, so none was made: `old_str` occurs 0 times" in missed.text
    assert "Nearest to it is:\n     2\t    return a - b" in missed.text
    assert (context.workspace / "pkg/m.py").read_text() == "def plus(x, y):\n    return a - b\n"
    both = await edit(context, command="str_replace", path="pkg/m.py", edits=half, old_str="x")
    assert "not both" in both.text


async def test_an_edit_says_when_the_file_cannot_be_read_any_more(context: ToolContext) -> None:
    broken = await edit(context, command="str_replace", path="pkg/m.py", old_str="(a, b):", new_str="(a, b:")
    assert not broken.is_error
    assert broken.text.split("\n")[-1].startswith("Python 3.")
    assert "line 1: " in broken.text
    mended = await edit(context, command="str_replace", path="pkg/m.py", old_str="(a, b:", new_str="(a, b):")
    assert "cannot read" not in mended.text
    assert "no JSON" in (await edit(context, command="create", path="x.json", file_text="{")).text


async def test_the_history_is_not_written_by_file_tools(context: ToolContext) -> None:
    for path in (".git/config", "/workspace/.git/hooks/x", "pkg/../.git/HEAD", ".git"):
        refused = await edit(context, command="create", path=path, file_text="x")
        assert refused.is_error
        assert "copy of the history" in refused.text
    assert "[core]" in (await edit(context, command="view", path=".git/config")).text
    assert (await edit(context, command="create", path=".gitignore", file_text="x")).wrote == ".gitignore"


async def test_grep_takes_what_ripgrep_takes(context: ToolContext) -> None:
    for name, data in {
        ".hidden": b"needle 12\n",
        "ignored.log": b"needle 34\n",
        ".gitignore": b"*.log\n",
        "wide.txt": "needle 56\r\n".encode("utf-16"),
        "sub/-odd name.txt": b"needle 78\n",
        "node_modules/x.js": b"needle 90\n",
        ".git/needle": b"needle 99\n",
    }.items():
        (context.workspace / name).parent.mkdir(exist_ok=True)
        (context.workspace / name).write_bytes(data)
    found = await call_tool(context, "grep", {"pattern": r"needle\s\d{2}$"})
    assert found.text.splitlines() == [
        ".hidden:1:needle 12",
        "ignored.log:1:needle 34",
        "sub/-odd name.txt:1:needle 78",
        "wide.txt:1:needle 56",
    ]
    narrowed = await call_tool(context, "grep", {"pattern": "needle", "path": "sub", "glob": "*.txt"})
    assert narrowed.text == "sub/-odd name.txt:1:needle 78"
    broken = await call_tool(context, "grep", {"pattern": "(("})
    assert "regex parse error" in broken.text


class Kept(dict[str, str]):
    """Outputs in memory, by the ids that the model is told."""

    async def keep(self, text: str) -> str:
        digest = f"{len(self):064}"[::-1]
        self[digest[:12]] = text
        return digest

    async def read(self, name: str) -> str | None:
        return self.get(name)


async def test_a_long_output_is_read_to_its_last_character_by_pages(context: ToolContext) -> None:
    kept = Kept()
    place = replaced(context, outputs=kept)
    ran = await call_tool(place, "bash", {"command": "seq 1 20000"})
    assert len(ran.text) < 16_200
    (name,) = kept
    assert f"`more` with id `{name}` shows the whole output, in pages" in ran.text
    assert ran.kept.startswith(name)
    found, page = "", 1
    while page:
        shown = (await call_tool(place, "more", {"id": name, "page": page})).text
        head, _, text = shown.partition("\n")
        found, page = found + text, page + 1 if "go on with" in head else 0
    assert found == "".join(f"{n}\n" for n in range(1, 20001)) + "[exit code 0]"
    last = (await call_tool(place, "more", {"id": name, "page": -1})).text
    assert last.endswith("20000\n[exit code 0]")
    for given in ({"id": "nope"}, {"id": name, "page": 99}, {"id": name, "page": 0}, {"id": name, "page": -2}):
        assert (await call_tool(place, "more", given)).is_error


async def test_the_whole_log_of_a_test_run_can_be_read(context: ToolContext) -> None:
    kept = Kept()
    (context.workspace / "tests/test_m.py").write_text(
        "def test_loud():\n    print('first line')\n    print('x' * 9000)\n    assert False\n"
    )
    ran = await call_tool(replaced(context, outputs=kept), "run_tests", {})
    (name, whole), *_ = kept.items()
    assert ran.text.endswith(f"[`more` with id `{name}` shows the whole output, in pages]")
    assert "first line" in whole
