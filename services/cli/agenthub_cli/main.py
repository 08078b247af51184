"""`agenthub`: every command, each loaded only when it is called."""

from __future__ import annotations

import errno
import gc
import io
import os
import shutil
import sys
from collections.abc import MutableMapping, Sequence
from typing import TYPE_CHECKING

from agenthub_cli import exit_codes
from agenthub_cli.program import program
from agenthub_cli.terminal.output import say
from agenthub_events.errors import AgenthubError, InvalidInput
from agenthub_runtime.processes.environment import forget_foreign

if TYPE_CHECKING:
    from cyclopts import App, CycloptsError

_COMPLETE = "--complete"
_HELP = ("--help", "-h")
# A group of commands, called by itself, shows its help as well.
_GROUP_DEPTH = 1
_NARROWEST = 10
# Loading a command makes no rubbish; looking for it in between takes a seventh of the time to the first word.
_BEFORE_COLLECTING = 50_000
_OUTPUT_FAILURES = (errno.ENOSPC, errno.EIO, errno.EBADF)

# Each with its help here, so that the list needs no import of what it lists.
_COMMANDS = (
    ("up", "up:up", "Start the whole hub on this machine and keep it running."),
    ("down", "hub:down", "Stop the hub that runs on this machine."),
    ("status", "hub:status", "Show what the hub's goals do, and what waits for you."),
    ("logs", "hub:logs", "Show the logs of the hub's processes."),
    ("open", "hub:open_", "Open the hub in a browser."),
    ("demo", "demo:demo", "Play the sample goal through the whole hub, live."),
    ("goal", "goal:app", "Submit goals, watch them, and decide about their results."),
    ("schedule", "operations.schedules:app", "Let goals begin by the clock."),
    ("inbox", "inbox:inbox", "Show what waits for you: questions, plans to approve, results to review."),
    ("answer", "inbox:answer", "Answer a question, or decide what else happens to the task."),
    ("mcp", "hub.mcp:mcp", "Serve the hub's tools to an editor or agent, by the Model Context Protocol on stdio."),
    ("notify", "notify:app", "Try the ways to recipients, and see who was told what."),
    ("events", "events:app", "Read the event log."),
    ("analytics", "analytics:analytics", "Show how long goals take, what they cost, what passes at once."),
    ("metrics", "operations.metrics:metrics", "Show queues, workers, events, models and cost of the last days."),
    ("dead-letters", "dead_letters:app", "List dead letters, send them back to work, or give them up."),
    ("queues", "operations.queues:queues", "Show what waits in the work queues, and pause or resume one."),
    (
        "agents",
        "operations.queues:agents",
        "Show the agent types: who serves them, which model they ask, what waits.",
    ),
    ("workers", "operations.workers:app", "Show who works, and let a worker finish and take nothing new."),
    ("scale", "operations.workers:scale", "Change how many workers serve an agent type."),
    ("maintenance", "operations.maintenance:app", "Let the hub begin nothing new, and see what is held back."),
    ("services", "operations.maintenance:services", "List the hub's processes that answer on the bus."),
    ("log-level", "operations.maintenance:log_level", "Change the log level of processes that run."),
    ("replay", "replay:app", "Look at a goal as it was, ask why, and play it again with today's code."),
    ("verify", "replay.files:verify", "Prove that nothing of a goal was changed, or name what was."),
    ("completion", "completion:completion", "Print the script that completes commands, options and ids."),
    ("rebuild", "rebuild:rebuild", "Rebuild the read models out of the log, or compare them with it."),
    ("backup", "backup:backup", "Back up a running hub."),
    ("restore", "backup:restore", "Make a new data folder out of a backup."),
    (
        "nats",
        "nats.assets:app",
        "Apply the declared streams and consumers, compare them, and manage the keys of the bus.",
    ),
    (
        "secrets",
        "operations.secrets:secrets",
        "Make the secrets of a deployment with Docker Compose or Kubernetes, as files.",
    ),
    ("bench", "bench:app", "Measure the hub on this machine, against a raw floor of the same run."),
    ("doctor", "doctor:doctor", "Check this machine and, where one runs, the hub."),
    ("orchestrator", "services:orchestrator", "Run one orchestrator."),
    ("projector", "services:projector", "Run one projector."),
    ("worker", "services:worker", "Run one worker."),
    ("gateway", "services:gateway", "Run one gateway."),
    ("notifier", "services:notifier", "Run one notifier."),
)


def build_app() -> App:
    """The command tree."""
    from cyclopts import App

    app = App(
        name="agenthub",
        help="Give a goal in plain words; agents plan it, work on it, test, audit and review it.",
        version=_version,
        help_format="plaintext",
    )
    for name, target, words in _COMMANDS:
        app.command(f"agenthub_cli.commands.{target}", name=name, help=words)
    return app


def main() -> None:
    """Run the command line; an expected error is two lines and an exit code, never a traceback."""
    gc.set_threshold(_BEFORE_COLLECTING)
    forget_foreign(os.environ)
    _forget_impossible_width(os.environ)
    _open_outputs()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A character that the locale does not have is shown as an escape, on every command.
            stream.reconfigure(errors="backslashreplace")
    if sys.argv[1:2] == [_COMPLETE]:
        _complete(sys.argv[2:])
        return
    _run()


def _run() -> None:
    try:
        if not _help_shown(sys.argv[1:]):
            _called()
    except AgenthubError as error:
        say(f"error: {error}", aside=True)
        if hint := _hint(error):
            say(f"hint: {hint}", aside=True)
        sys.exit(_exit_code(error))
    except BrokenPipeError:
        _drop_output()
        sys.exit(exit_codes.OK)
    except OSError as error:
        if error.errno not in _OUTPUT_FAILURES:
            raise
        say(f"error: the output cannot be written: {error.strerror}", aside=True)
        _drop_output()
        sys.exit(exit_codes.FAILED)


def _help_shown(words: Sequence[str]) -> bool:
    """Show the help that is asked for, before anything is loaded that could run a command."""
    if len(words) > _GROUP_DEPTH and not {*_HELP} & {*words}:
        return False
    from agenthub_cli.help.pages import asked_for, read_pages

    page = asked_for(words, read_pages())
    if page is None:
        return False
    from agenthub_cli.help.drawing import Box, page_lines

    width = shutil.get_terminal_size((80, 24)).columns
    say("\n".join(page_lines(page, width, Box.for_encoding(sys.stdout.encoding))))
    return True


def _called() -> None:
    from cyclopts import CycloptsError

    try:
        build_app()(exit_on_error=False, print_error=False)
    except CycloptsError as error:
        from agenthub_cli.misread import misread

        say(f"error: {misread(error, _command_of(error))}", aside=True)
        say(f"hint: `{_command_of(error)} --help` shows what it takes", aside=True)
        sys.exit(exit_codes.USAGE)


def _complete(words: Sequence[str]) -> None:
    """What shells ask for at each press of Tab: answered before any command is loaded."""
    from agenthub_cli.completion.candidates import FILES, candidates

    for word, about in candidates(words):
        say("@files" if word == FILES else f"{word}\t{about}" if about else word)


def _command_of(error: CycloptsError) -> str:
    return " ".join((program(), *(error.command_chain or ())))


def _forget_impossible_width(environment: MutableMapping[str, str]) -> None:
    """rich wraps for ever where no column is left (`COLUMNS=0`, as some editors and cron jobs set it)."""
    width = environment.get("COLUMNS", "")
    if width.isdecimal() and int(width) < _NARROWEST:
        del environment["COLUMNS"]


def _open_outputs() -> None:
    """What a shell has closed (`2>&-`) becomes the null device: no socket or file may be opened in its place."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(1, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8")  # noqa: SIM115


def _drop_output() -> None:
    """What still waits to be written has nowhere to go: the interpreter must not try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)


def _exit_code(error: AgenthubError) -> int:
    from agenthub_cli.errors import CommandFailed
    from agenthub_runtime.errors import SettingsInvalid

    if isinstance(error, CommandFailed):
        return error.code
    return exit_codes.USAGE if isinstance(error, (InvalidInput, SettingsInvalid)) else exit_codes.FAILED


def _hint(error: AgenthubError) -> str:
    from agenthub_runtime.errors import SettingsInvalid

    if isinstance(error, SettingsInvalid):
        return "docs/reference/settings.md explains every setting; `agenthub up` runs all services of a machine"
    return str(getattr(error, "hint", ""))


def _version() -> str:
    from importlib.metadata import version

    return version("agenthub")


if __name__ == "__main__":
    main()
