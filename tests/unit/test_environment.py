"""Variables of the surrounding shell that speak of other databases and repositories."""

from __future__ import annotations

from agenthub_runtime.processes.environment import forget_foreign


def test_what_steers_clients_of_postgres_and_git_is_forgotten_and_nothing_else() -> None:
    kept = {
        "PATH": "/bin",
        "DATABASE_URL": "postgresql://h/d",
        "GITHUB_TOKEN": "t",
        "pgsslmode": "x",
        "MY_PGHOST": "",
    }
    environment = {**kept, "PGSSLMODE": "require", "PGSERVICE": "s", "PG_COLOR": "always", "GIT_DIR": "/x"}
    environment["GIT_CONFIG_KEY_0"] = "core.hooksPath"
    forget_foreign(environment)
    assert environment == kept
