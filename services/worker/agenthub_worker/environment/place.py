"""Where commands see the environment, whatever its name outside: what an installer writes down stays true."""

from __future__ import annotations

from typing import Final

PLACE: Final = "/environment"

DOWNLOADS: Final = "/downloads"
"""What package clients fetch and unpack on the way; gone when the setup has ended."""
