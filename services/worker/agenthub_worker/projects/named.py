"""What may bring a plugin into the tests of a goal: its base, its words and its plan, but not its change alone."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

_SHOWN = 5


class PluginTexts(msgspec.Struct, frozen=True, kw_only=True):
    """Texts in which plugins of pytest are named or used: settings, declared dependencies, tests.

    `words` are those of people and of the plan.
    """

    settings: str = ""
    declared: str = ""
    tests: str = ""
    words: str = ""


def not_loaded(plugins: Sequence[str]) -> str:
    """What is said of plugins that only a change brings; empty for none."""
    if not plugins:
        return ""
    more = f" and {len(plugins) - _SHOWN} more" if len(plugins) > _SHOWN else ""
    return (
        f"plugins of pytest that only this change brings were not loaded ({', '.join(plugins[:_SHOWN])}{more}):"
        " name them in a requirement, or in the details of a planned task"
    )
