"""The help of every command as the command line reads it, out of what cyclopts knows of them."""

from __future__ import annotations

import io
from typing import Any

import msgspec
from cyclopts import App
from rich.console import Console

from agenthub_cli.help.pages import HelpPage, Panel, Row
from agenthub_cli.main import build_app


class _Kept:
    """A formatter that keeps what it is to show."""

    def __init__(self) -> None:
        self.usage = ""
        self.about = ""
        self.panels: list[Panel] = []

    def render_usage(self, console: Any, options: Any, usage: Any) -> None:
        self.usage = str(usage).strip()

    def render_description(self, console: Any, options: Any, description: Any) -> None:
        self.about = _text(description)

    def __call__(self, console: Any, options: Any, panel: Any) -> None:
        if panel.entries:
            self.panels.append(Panel(str(panel.title), tuple(_row(entry) for entry in panel.entries)))


def help_pages() -> dict[str, HelpPage]:
    """Every page by the words of its command."""
    app = build_app()
    return {" ".join(path): _page(app, path) for path in paths(app)}


def help_file() -> str:
    """The file that the command line reads."""
    return msgspec.json.format(msgspec.json.encode(help_pages()), indent=1).decode() + "\n"


def paths(app: App, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of every command, the tree's own first."""
    found = [path]
    for name in sorted(app):
        if not name.startswith("-"):
            found += paths(app[name], (*path, name))
    return found


def _page(app: App, path: tuple[str, ...]) -> HelpPage:
    kept = _Kept()
    app.help_formatter = kept
    app.help_print(list(path), console=Console(file=io.StringIO()))
    command = app
    for name in path:
        command = command[name]
    return HelpPage(kept.usage, kept.about, tuple(kept.panels), runs=command.default_command is not None)


def _row(entry: Any) -> Row:
    about = _text(entry.description)
    more = [
        *([f"[choices: {', '.join(entry.choices)}]"] if entry.choices else ()),
        *([f"[env var: {', '.join(entry.env_var)}]"] if entry.env_var else ()),
        *([f"[default: {entry.default}]"] if entry.default is not None else ()),
        *(["[required]"] if entry.required else ()),
    ]
    return Row(entry.display_labels_with_metavar, " ".join((about, *more)).strip(), entry.required)


def _text(shown: Any) -> str:
    return str(getattr(shown.primary_renderable, "plain", "")).strip() if shown else ""
