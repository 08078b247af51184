"""Settings out of files that Docker and Kubernetes mount, and secrets beside addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from agenthub_runtime.bus_users.certificates import new_authority
from agenthub_runtime.bus_users.keys import login_of, new_seed
from agenthub_runtime.errors import SettingsInvalid
from agenthub_runtime.settings.from_files import with_values_of_files
from agenthub_runtime.settings.records import (
    read_gateway_settings,
    read_orchestrator_settings,
    read_worker_settings,
)

NATS = "tls://orchestrator@nats-1:4222,tls://orchestrator@nats-2:4222"


def file(folder: Path, text: str, name: str = "secret") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def problems_of(env: dict[str, str]) -> str:
    with pytest.raises(SettingsInvalid) as raised:
        read_orchestrator_settings(env)
    return str(raised.value)


def test_every_setting_may_come_out_of_a_file(tmp_path: Path) -> None:
    env = {"NATS_URL": "nats://a:4222", "AGENTHUB_SEAL_KEY_FILE": file(tmp_path, "ab" * 32 + "\n")}

    assert read_orchestrator_settings(env).seal_key == "ab" * 32


def test_a_byte_order_mark_is_no_part_of_a_secret(tmp_path: Path) -> None:
    env = {"NATS_URL": "nats://a:4222", "AGENTHUB_SEAL_KEY_FILE": file(tmp_path, "\ufeff" + "ab" * 32 + "\n")}

    assert read_orchestrator_settings(env).seal_key == "ab" * 32


def test_an_empty_file_leaves_the_setting_unset(tmp_path: Path) -> None:
    env = {
        "NATS_URL": "nats://a:4222",
        "AGENT_TYPE": "coding",
        "ANTHROPIC_API_KEY_FILE": file(tmp_path, "\n"),
        "AGENTHUB_GIT_TOKENS_FILE": file(tmp_path, "", "tokens"),
    }

    settings = read_worker_settings(env)

    assert (settings.api_key, settings.git.tokens) == ("", {})


def test_a_value_and_its_file_are_not_both_taken(tmp_path: Path) -> None:
    said = problems_of({"NATS_URL": "nats://a", "NATS_URL_FILE": file(tmp_path, "nats://b")})

    assert "NATS_URL and NATS_URL_FILE are both set" in said


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"x" * ((1 << 20) + 1)])
def test_a_file_that_cannot_be_read_is_named_and_nothing_of_it_shown(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)

    said = problems_of({"NATS_URL": "nats://a", "AGENTHUB_SEAL_KEY_FILE": str(path)})

    assert f"AGENTHUB_SEAL_KEY_FILE names {path}, which cannot be read" in said
    assert "xxx" not in said


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "cannot be read: Is a directory" in problems_of(
        {"NATS_URL": "nats://a", "AGENTHUB_SEAL_KEY_FILE": str(tmp_path)}
    )


def test_seed_and_authority_become_a_part_of_every_address(tmp_path: Path) -> None:
    seed, authority = new_seed(), file(tmp_path, new_authority().certificate, "with a space.pem")
    env = {"NATS_URL": NATS, "NATS_SEED_FILE": file(tmp_path, f"{seed}\n"), "NATS_CA": authority}

    login = login_of(read_orchestrator_settings(env).nats_url)

    assert login.servers == ("tls://nats-1:4222", "tls://nats-2:4222")
    assert (login.user, login.seed, login.authority) == ("orchestrator", seed, authority)
    assert "tls" in login.options


def test_without_an_authority_the_machines_own_is_asked() -> None:
    assert "tls" not in login_of("tls://a:4222").options


def test_an_authority_that_is_not_there_is_said_at_the_start(tmp_path: Path) -> None:
    assert "NATS_CA names" in problems_of({"NATS_URL": NATS, "NATS_CA": str(tmp_path / "none.pem")})


@pytest.mark.parametrize("address", ["nats://nats-1:4222", "nats://a:b@nats-1:4222", "nats://:b@nats-1"])
def test_a_seed_needs_an_address_with_a_user_alone(address: str) -> None:
    seed = new_seed()

    said = problems_of({"NATS_URL": address, "NATS_SEED": seed})

    assert "NATS_URL and NATS_SEED" in said
    assert seed not in said


def test_a_password_may_hold_anything(tmp_path: Path) -> None:
    env = {
        "NATS_URL": "nats://a:4222",
        "DATABASE_URL": "postgresql://reader@db:5432/agenthub?sslmode=require",
        "DATABASE_PASSWORD_FILE": file(tmp_path, "p@ss/w:rd?#"),
        "AGENTHUB_API_KEYS": "x" * 20,
    }

    settings = read_gateway_settings(env)

    assert settings.database_url == ("postgresql://reader:p%40ss%2Fw%3Ard%3F%23@db:5432/agenthub?sslmode=require")


def test_what_came_out_of_a_file_is_masked_like_everything_else(tmp_path: Path) -> None:
    seed = new_seed()
    env = {"NATS_URL": NATS, "NATS_SEED_FILE": file(tmp_path, seed)}

    secrets = read_orchestrator_settings(env).log.secrets

    assert seed not in secrets.masked(f"connect as {seed}")


def test_secrets_beside_no_address_are_left_alone() -> None:
    found, problems = with_values_of_files({"NATS_SEED": new_seed(), "DATABASE_PASSWORD": "x"})

    assert (found, problems) == ({}, [])
