"""Settings of property tests: no example is judged by how long it took, and every run tries the same ones."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

untimed = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
