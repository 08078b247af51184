"""Settings of property tests: no example is judged by how long it took."""

from __future__ import annotations

from hypothesis import settings

untimed = settings(deadline=None)
