"""Which variables of the surrounding shell must not reach the hub."""

from __future__ import annotations

from collections.abc import MutableMapping

_FOREIGN = ("PG", "GIT_")


def forget_foreign(environment: MutableMapping[str, str]) -> None:
    """Take out what steers clients of PostgreSQL (`PGSSLMODE`, …) or git (`GIT_DIR`, …), also for children.

    In a person's shell these speak of other databases and repositories than the hub's own. What the hub is to use
    stands in its settings: a database's options in its address, for example.
    """
    for name in [name for name in environment if name.startswith(_FOREIGN)]:
        del environment[name]
