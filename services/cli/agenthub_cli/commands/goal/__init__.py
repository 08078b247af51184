"""`agenthub goal …`: submit a goal, watch it, and say what a person has to say about it."""

from __future__ import annotations

from cyclopts import App

# Loaded when they are called: a list of goals needs nothing of what submits one.
_COMMANDS = (
    ("submit", "commands.goal.submitting:submit"),
    ("list", "commands.goal.looking:list_"),
    ("show", "commands.goal.looking:show"),
    ("watch", "commands.goal.looking:watch"),
    ("plan", "goals.views:plan"),
    ("log", "goals.views:log"),
    ("diff", "goals.views:diff"),
    ("trace", "goals.views:trace"),
    ("transcript", "goals.transcript:transcript"),
    ("approve", "commands.goal.deciding:approve"),
    ("rework", "commands.goal.deciding:rework"),
    ("approve-plan", "commands.goal.deciding:approve_plan"),
    ("budget", "commands.goal.deciding:budget"),
    ("note", "commands.goal.deciding:note"),
    ("cancel", "commands.goal.deciding:cancel"),
    ("erase", "commands.goal.deciding:erase"),
    ("pause", "commands.goal.deciding:pause"),
    ("resume", "commands.goal.deciding:resume"),
    ("pull", "commands.goal.results:pull"),
    ("apply", "commands.goal.results:apply"),
)

app = App(name="goal", help="Submit goals, watch them, and decide about their results.")
for _name, _target in _COMMANDS:
    app.command(f"agenthub_cli.{_target}", name=_name)
