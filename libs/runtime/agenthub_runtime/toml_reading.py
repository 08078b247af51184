"""TOML of others: read whole, or refused with the reason, whatever it was made to do to its reader."""

from __future__ import annotations

import re
import tomllib
from typing import Any

# What reads TOML takes time by the square of a key's length.
_LONG_KEY = re.compile(r"(?<![^\s.=\[\]])(?:[^\s.=\[\]]++[ \t]*+\.[ \t]*+){60}")


class TomlInvalid(ValueError):
    """Why a text is no TOML, in words that can stand behind “is no TOML: ”."""


class TomlUnusable(TomlInvalid):
    """It is made to exhaust its reader, or says what no program can use."""


def read_toml(data: bytes | str) -> dict[str, Any]:
    """The table that is written in a text or in UTF-8; a byte order mark counts for nothing.

    Raises `TomlInvalid` for what is no TOML, and `TomlUnusable` for what is, but cannot be used.
    """
    try:
        text = (data if isinstance(data, str) else data.decode()).removeprefix("\ufeff")
        if _LONG_KEY.search(text):
            raise TomlUnusable("a key has more than 60 parts")
        return tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise TomlInvalid(f"it is not written in UTF-8 (byte {error.start}): save it as UTF-8") from None
    except RecursionError:
        raise TomlUnusable("its values are nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise TomlInvalid(str(error)) from None
    except TomlInvalid:
        raise
    except ValueError:
        raise TomlUnusable("it holds a number or a date that no program can use") from None
