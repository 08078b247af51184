"""Chooses the plugins of pytest for a run of tests."""

from __future__ import annotations

from pathlib import Path

import msgspec

from agenthub_worker.projects.named import PluginTexts
from agenthub_worker.projects.plugins import InstalledPlugin, installed_plugins, plugins_in
from agenthub_worker.projects.project import Project, plugin_texts, plugins_of

_JUDGES_OWN = "pytest_cov"
"""It is there in every run: coverage is measured with it."""


class PluginChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which plugins a run loads, as pytest is told them; None: what is installed, as at home.

    `left` are the packages of those that only the change brings, `options` keep them out.
    """

    loaded: tuple[str, ...] | None
    left: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


def plugin_choice(project: Project, line: str, named: PluginTexts | None, own: Path | None) -> PluginChoice:
    """The choice for the tests of `project`, run by the command `line`.

    `named` are the texts that may bring a plugin; None: those of the project itself. `own` is the folder of an
    environment that was made for it.
    """
    texts = plugin_texts(project)
    if own is not None and (named is None or named.declared == texts.declared):
        return PluginChoice(loaded=None)
    installed = installed_plugins() if own is None else plugins_in(own)
    used = plugins_of(texts, line, installed)
    if named is None:
        return PluginChoice(loaded=tuple(plugin.loaded_as for plugin in used))
    # What the project switches off stays off.
    both = msgspec.structs.replace(named, settings=f"{named.settings}\n{_switches(texts.settings)}")
    allowed = [*plugins_of(both, line, installed), *(plugin for plugin in used if plugin.name == _JUDGES_OWN)]
    left = [plugin for plugin in used if plugin not in allowed]
    return PluginChoice(
        loaded=tuple(sorted({plugin.loaded_as for plugin in allowed})),
        left=tuple(sorted({_package(plugin) for plugin in left})),
        options=tuple(option for plugin in left for name in _names(plugin) for option in ("-p", f"no:{name}")),
    )


def _switches(settings: str) -> str:
    return "\n".join(
        word for word in settings.replace("'", " ").replace('"', " ").split() if word.startswith("no:")
    )


def _package(plugin: InstalledPlugin) -> str:
    """The name under which people install it."""
    return min(plugin.packages, key=lambda name: ("_" in name, name.islower() is False, -len(name), name))


def _names(plugin: InstalledPlugin) -> list[str]:
    """The names by which a setting or a file of the tests could have it loaded all the same."""
    tops = {name for name in plugin.packages if name.isidentifier()}
    return sorted({plugin.name, plugin.loaded_as, plugin.module, *tops})
