"""`agenthub`: every command, each loaded only when it is called."""

from __future__ import annotations

import sys

from cyclopts import App

from agenthub_events.errors import AgenthubError

_COMMANDS = (
    ("up", "agenthub_cli.up:up"),
    ("demo", "agenthub_cli.demo:demo"),
    ("goal", "agenthub_cli.goal:app"),
    ("inbox", "agenthub_cli.inbox:inbox"),
    ("answer", "agenthub_cli.inbox:answer"),
    ("events", "agenthub_cli.events:app"),
    ("dead-letters", "agenthub_cli.dead_letters:app"),
    ("rebuild", "agenthub_cli.rebuild:rebuild"),
    ("nats", "agenthub_cli.nats_assets:app"),
    ("bench", "agenthub_cli.bench:app"),
    ("doctor", "agenthub_cli.doctor:doctor"),
    ("orchestrator", "agenthub_cli.services:orchestrator"),
    ("projector", "agenthub_cli.services:projector"),
    ("worker", "agenthub_cli.services:worker"),
    ("gateway", "agenthub_cli.services:gateway"),
)


def build_app() -> App:
    """The command tree."""
    app = App(
        name="agenthub",
        help="Give a goal in plain words; agents plan it, work on it, test, audit and review it.",
        version=_version,
    )
    for name, target in _COMMANDS:
        app.command(target, name=name)
    app.register_install_completion_command()
    return app


def main() -> None:
    """Run the command line; an expected error is two lines and an exit code, never a traceback."""
    try:
        build_app()()
    except AgenthubError as error:
        _say(f"error: {error}")
        if hint := getattr(error, "hint", ""):
            _say(f"hint: {hint}")
        sys.exit(getattr(error, "code", 1) if isinstance(getattr(error, "code", 1), int) else 1)
    except BrokenPipeError:
        sys.stderr.close()


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _version() -> str:
    from importlib.metadata import version

    return version("agenthub")


if __name__ == "__main__":
    main()
