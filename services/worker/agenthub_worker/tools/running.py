"""`bash`, `run_tests` and `git_diff`: do things in the workspace and see what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from agenthub_worker.domain.prompt import counts_text
from agenthub_worker.domain.run import COMMANDS
from agenthub_worker.errors import ToolRefused
from agenthub_worker.evidence.layout import NoTestCommand, TestCommand, detect_test_command
from agenthub_worker.evidence.patch import PATCH_BYTES, FilePatch, Page, file_patches, pages
from agenthub_worker.evidence.testing import TestReport
from agenthub_worker.projects.named import not_loaded
from agenthub_worker.sandbox.port import ExecResult
from agenthub_worker.suites.detect import says_how
from agenthub_worker.suites.read import text_of
from agenthub_worker.suites.running import run_suites
from agenthub_worker.tools.contract import Tool, ToolContext, ToolResult, shortened
from agenthub_worker.tools.paths import inside, relative
from agenthub_worker.tools.searching import walk_files

ANEW = "a new sandbox: {why}; working folder, variables, /tmp and background programs of earlier commands are gone"
"""What a command is told when nothing of those before is left."""

_COMMAND_S = 120.0
_COMMAND_CHARS = 30_000
_TAIL_CHARS = 6_000
_FAILING_SHOWN = 50


class BashInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A command line for bash, in the workspace."""

    command: Annotated[str, msgspec.Meta(min_length=1, max_length=_COMMAND_CHARS)]
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = _COMMAND_S


class RunTestsInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Test files, folders or ids; all tests when empty."""

    paths: tuple[str, ...] = ()


class GitDiffInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file or folder to which the diff is narrowed, and which of its pages."""

    path: str | None = None
    page: Annotated[int, msgspec.Meta(ge=1)] = 1


async def bash(context: ToolContext, given: BashInput) -> ToolResult:
    """Run a command in the sandbox; an agent without write access sees a read-only workspace.

    A failing command is a result, not an error of the tool.
    """
    shell = context.shell or context.sandbox.shell(workspace=context.workspace, writable=not context.read_only)
    try:
        ran = await shell.run(given.command, timeout_s=given.timeout_s, on_output=context.on_output)
    finally:
        if shell is not context.shell:
            await shell.close()
    text, kept = await shortened(context, "\n".join(_told(ran, given)))
    return ToolResult(
        text=text, is_error=ran.timed_out or ran.flooded, changed_files=not context.read_only, kept=kept
    )


def _told(ran: ExecResult, given: BashInput) -> Iterator[str]:
    """What a command has shown, and what became of it and of the commands before."""
    if ran.lost:
        yield f"[{ANEW.format(why=ran.lost)}]"
    if ran.meanwhile:
        meanwhile = ran.meanwhile.decode("utf-8", "replace").rstrip("\n")
        yield f"[written in the background since the last command:]\n{meanwhile}\n[this command:]"
    if output := ran.text.rstrip("\n"):
        yield output
    notes = [f"exit code {ran.exit_code}"]
    if ran.timed_out:
        notes.append(
            f"killed after {given.timeout_s:g} s, with everything it had started; folder and variables are those"
            " before it"
        )
    if ran.flooded:
        notes.append("killed: it wrote more output than is allowed")
    yield f"[{'; '.join(notes)}]"


async def run_tests(context: ToolContext, given: RunTestsInput) -> ToolResult:
    """Run the goal's tests; the report is read by the system, so what it says is what happened."""
    report = await run_suites(
        context.sandbox,
        context.workspace,
        msgspec.structs.replace(await _test_command(context), plugins=context.plugins),
        timeout_s=context.test_timeout_s,
        paths=given.paths,
        on_output=context.on_output,
    )
    log = report.log.decode("utf-8", "replace")
    text, kept = await shortened(context, describe(report), log if len(log) > _TAIL_CHARS else "")
    return ToolResult(text=text, changed_files=not context.read_only, kept=kept)


async def git_diff(context: ToolContext, given: GitDiffInput) -> ToolResult:
    """What this task has changed so far, as a patch against the commit from which it started."""
    path = relative(context, await asyncio.to_thread(inside, context, given.path)) if given.path else None
    taken = await context.repository.snapshot(context.workspace, context.base)
    # The whole change, also for one path: a renamed file keeps its other name so.
    patch = await context.repository.diff(context.base, taken.tree, max_bytes=PATCH_BYTES)
    files = [file for file in file_patches(patch) if _is_in(path, file)]
    if not files:
        return ToolResult(text="Nothing has changed.")
    found = pages(files, page_chars(context))
    if given.page > len(found):
        raise ToolRefused(f"There is no page {given.page}: this diff has {len(found)}.")
    page = found[given.page - 1]
    return ToolResult(text=_page_text(files, page, given, len(found)), shown=tuple(page))


def page_chars(context: ToolContext) -> int:
    """How much of a patch goes on a page, beside the words about the page."""
    return max(1, context.output_chars - 600)


def _is_in(path: str | None, file: FilePatch) -> bool:
    return path in (None, ".") or file.path == path or file.path.startswith(f"{path}/")


def _page_text(files: Sequence[FilePatch], page: Page, given: GitDiffInput, count: int) -> str:
    texts = {file.path: file.text for file in files}
    text = "".join(texts[span.path][span.start : span.end] for span in page)
    if count == 1:
        return text
    first = page[0]
    going_on = f"; {first.path[:200]} goes on here" if first.start else ""
    after = f"; go on with page {given.page + 1}" if given.page < count else "; the last one"
    return f"[page {given.page} of {count}{going_on}{after}]\n{text}"


def describe(report: TestReport) -> str:
    """A test run in the fixed form that agents read."""
    lines = [f"exit code {report.exit_code}", counts_text(report.counts)]
    if report.coverage_percent is not None:
        lines.append(f"coverage {report.coverage_percent:g}%")
    if report.failing:
        lines += ["failing:", *report.failing[:_FAILING_SHOWN]]
        if len(report.failing) > _FAILING_SHOWN:
            lines.append(f"[... {len(report.failing) - _FAILING_SHOWN} more ...]")
    lines += _skipped(report)
    lines += [f"not green: {problem}" for problem in report.problems]
    lines += [not_loaded(report.not_loaded)] if report.green and report.not_loaded else []
    return "\n".join([*lines, "output:", report.tail(_TAIL_CHARS)])


def _skipped(report: TestReport) -> list[str]:
    """What an agent has to know of skipped tests before the gate tells it."""
    if not report.skipped:
        return []
    shown = [f"{case.id}: {case.reason}" if case.reason else case.id for case in report.skipped[:_FAILING_SHOWN]]
    return ["skipped (these prove nothing, and the tests gate refuses those that ran before):", *shown]


async def _test_command(context: ToolContext) -> TestCommand:
    if context.test_command is not None:
        return context.test_command
    found = await asyncio.to_thread(_detected, context.workspace)
    if isinstance(found, NoTestCommand):
        raise ToolRefused(found.reason)
    return found


def _detected(workspace: Path) -> TestCommand | NoTestCommand:
    files = list(walk_files(workspace))
    return detect_test_command(files, {path: text_of(workspace / path) for path in files if says_how(path)})


BASH = Tool(
    name=COMMANDS,
    description=(
        "Run a command with bash in the workspace. There is no network but what your first message names, and "
        "nothing outside of the workspace and /tmp can be written. Working folder, exported variables, functions, "
        "/tmp and programs in the background (`server &`) stay until your attempt ends; what these write is shown "
        "with the next command. `git` works on a copy of the history that is yours alone: what counts are the "
        "files, not its commits. `timeout_s` is 120 by default, at most 600."
    ),
    input=BashInput,
    function=bash,
    mutates=True,
    in_shell=True,
)
RUN_TESTS = Tool(
    name="run_tests",
    description="Run the tests, or only those in `paths`, and get exit code, counts, coverage and failing ids.",
    input=RunTestsInput,
    function=run_tests,
    mutates=True,
)
GIT_DIFF = Tool(
    name="git_diff",
    description=(
        "Show what has changed in the workspace since this task started, or in `path` only. "
        "A long diff comes in pages: ask for each one by `page`. A review is taken once all of it was shown."
    ),
    input=GitDiffInput,
    function=git_diff,
)
TOOLS = (BASH, RUN_TESTS, GIT_DIFF)
