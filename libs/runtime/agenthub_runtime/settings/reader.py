"""Settings out of the environment, with every problem named in one error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, TypeVar

from agenthub_events.errors import InvalidInput
from agenthub_runtime.errors import SettingsInvalid
from agenthub_runtime.settings.from_files import with_values_of_files
from agenthub_runtime.settings.setting import Setting

T = TypeVar("T")
Environment: TypeAlias = Mapping[str, str]


class SettingsReader:
    """Reads settings and remembers what did not fit, so that one error can name everything.

    `env` is the environment with what its `…_FILE` name.
    """

    def __init__(self, env: Environment) -> None:
        self.env: Environment
        self.problems: list[str]
        self.env, self.problems = with_values_of_files(env)

    def __call__(self, setting: Setting[T]) -> T:
        """The value, or the default when it is unset, empty or does not fit."""
        value = self._given(setting)
        return setting.parse(setting.default) if value is None else value

    def optional(self, setting: Setting[T]) -> T | None:
        """The value, or None when it is unset or does not fit."""
        return self._given(setting)

    def text(self, setting: Setting[str]) -> str:
        """The value of a setting whose default is to have none."""
        return self._given(setting) or ""

    def needed(self, setting: Setting[T]) -> T:
        """The value of a setting without which the service cannot run."""
        before = len(self.problems)
        value = self._given(setting)
        if value is None and len(self.problems) == before:
            self.problems.append(f"{setting.name} is not set: {setting.doc}")
        # A missing value never leaves the reader: `checked` raises before anybody uses it.
        return value  # type: ignore[return-value]

    def checked(self, record: T) -> T:
        """`record` when everything fitted. Raises `SettingsInvalid`."""
        if self.problems:
            raise SettingsInvalid(tuple(self.problems))
        return record

    def _given(self, setting: Setting[T]) -> T | None:
        text = self.env.get(setting.name, "").strip()
        if not text:
            return None
        try:
            return setting.parse(text)
        except (ValueError, InvalidInput) as error:
            shown = "" if _may_hide(setting, text) else f" is `{text[:60]}`"
            self.problems.append(f"{setting.name}{shown}: {error}")
            return None


def _may_hide(setting: Setting[Any], text: str) -> bool:
    """Whether the value may hold a credential."""
    return "secret" in setting.kind or setting.kind == "address" or "://" in text
