"""Settings of property tests: no example is judged by how long it took, and every run tries the same ones."""

from __future__ import annotations

from hypothesis import settings

untimed = settings(deadline=None, derandomize=True)
