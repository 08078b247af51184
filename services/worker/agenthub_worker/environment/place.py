"""Where commands see the environment, whatever its name outside: what an installer writes down stays true."""

from __future__ import annotations

from typing import Final

PLACE: Final = "/environment"
