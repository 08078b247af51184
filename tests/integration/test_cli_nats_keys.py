"""`agenthub nats keys`: lists users, shows seeds when asked, rotates, and fills a file for services elsewhere."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from agenthub_runtime.bus_users.keys import login_of, public_key
from agenthub_runtime.bus_users.rights import users_of
from agenthub_runtime.embedded.data_folder import DataDir

SEED = re.compile(r"SU[A-Z2-7]{56}")


def keys(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agenthub_cli.main", "nats", "keys", *arguments]
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "COLUMNS": "200"}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = DataDir(tmp_path / "hub")
    data.prepare()
    assert data.secrets.nats_seeds
    return data.root


def test_users_are_listed_without_their_secrets(folder: Path) -> None:
    shown = keys("--data-dir", str(folder))
    assert shown.returncode == 0, shown.stderr
    assert all(user in shown.stdout for user in users_of())
    assert not SEED.search(shown.stdout)
    lines = keys("--data-dir", str(folder), "--json", "--seeds").stdout.splitlines()
    told = {row["user"]: row for row in map(msgspec.json.decode, lines)}
    assert set(told) == set(users_of())
    assert "gate.passed" in told["worker-review"]["may_publish"]
    assert "gate.passed" not in told["worker-coding"]["may_publish"]
    assert all(public_key(row["seed"]) == row["key"] for row in told.values())


def test_keys_are_rotated_while_the_hub_is_down_and_only_then(folder: Path) -> None:
    before = DataDir(folder).secrets
    with DataDir(folder).claim():
        refused = keys("rotate", "--data-dir", str(folder))
    assert refused.returncode != 0
    assert "already runs" in refused.stderr
    assert DataDir(folder).secrets == before
    assert keys("rotate", "--data-dir", str(folder), "--user", "gateway").returncode == 0
    one = DataDir(folder).secrets
    assert [user for user in users_of() if one.nats_seeds[user] != before.nats_seeds[user]] == ["gateway"]
    done = keys("rotate", "--data-dir", str(folder))
    assert not SEED.search(done.stdout)
    assert not set(DataDir(folder).secrets.nats_seeds.values()) & set(one.nats_seeds.values())
    wrong = keys("rotate", "--data-dir", str(folder), "--user", "somebody")
    assert (wrong.returncode, "no user" in wrong.stderr) == (2, True)


def test_a_folder_without_a_hub_stays_as_it_is(tmp_path: Path) -> None:
    for command in ((), ("rotate",)):
        refused = keys(*command, "--data-dir", str(tmp_path))
        assert refused.returncode != 0
        assert "holds no hub" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_a_file_of_variables_is_completed_and_keeps_what_others_wrote(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("DB_PASSWORD=db\n# a word\n")
    assert keys("env", str(file)).returncode == 0
    first = file.read_text()
    assert first.startswith("DB_PASSWORD=db\n# a word\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "0 new keys" in keys("env", str(file)).stdout
    assert file.read_text() == first
    assert not SEED.search(keys("env", str(file), "--rotate").stdout)
    again = file.read_text()
    assert not set(SEED.findall(first)) & set(SEED.findall(again))
    assert again.startswith("DB_PASSWORD=db\n# a word\n")


def test_an_address_says_who_one_is_and_a_seed_is_taken_out_of_it() -> None:
    seed = "SU" + "A" * 56
    login = login_of(f"nats://worker-coding:{seed}@one:4222,nats://worker-coding:{seed}@two:4222")
    assert (login.user, login.seed) == ("worker-coding", seed)
    assert login.servers == ("nats://one:4222", "nats://two:4222")
    assert seed not in repr(login)
    plain = login_of("nats://ann:secret%40@one:4222")
    assert (plain.user, plain.seed, plain.servers) == ("ann", "", ("nats://ann:secret%40@one:4222",))
    assert login_of("nats://one:4222").options == {"servers": ["nats://one:4222"]}
    assert login_of("nats://token@one:4222").user == ""
    with pytest.raises(ValueError, match="a seed is"):
        public_key("SU" + "A" * 10)


def context(config: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agenthub_cli.main", "nats", "context", *arguments]
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "XDG_CONFIG_HOME": str(config), "COLUMNS": "200"}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)


def test_a_context_names_the_file_of_the_key_and_holds_no_secret(folder: Path, tmp_path: Path) -> None:
    config, server = tmp_path / "config", "nats://127.0.0.1:4999"
    done = context(config, "operator", "--data-dir", str(folder), "--server", server, "--json")
    assert done.returncode == 0, done.stderr
    told = msgspec.json.decode(done.stdout)
    file, key = Path(told["file"]), Path(told["key"])
    assert file == config / "nats" / "context" / "agenthub-operator.json"
    written = msgspec.json.decode(file.read_bytes())
    assert (written["url"], written["nkey"], written["inbox_prefix"]) == (server, str(key), "_INBOX_operator")
    assert key.read_text().strip() == DataDir(folder).secrets.nats_seeds["operator"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (file, key)} == {0o600}
    assert not any(SEED.search(text) for text in (file.read_text(), done.stdout, done.stderr))


@pytest.mark.extra
def test_a_context_of_a_bus_elsewhere_takes_its_key_from_the_file_of_variables(tmp_path: Path) -> None:
    variables = tmp_path / ".env"
    assert keys("env", str(variables)).returncode == 0
    given = ("observer", "--name", "far", "--env-file", str(variables))
    assert context(tmp_path, *given, "--server", "nats://bus:4222").returncode == 0
    assert (tmp_path / "nats" / "context" / "far.json").is_file()
    assert f"={(tmp_path / 'nats' / 'agenthub' / 'far.nk').read_text()}" in variables.read_text()


@pytest.mark.extra
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("observer", "--server", "nats://u:p@bus:4222", "--env-file", "{env}"), "without credentials"),
        (("observer", "--env-file", "{env}"), "Where is the bus?"),
        (("observer", "--server", "nats://bus:4222", "--env-file", "/nonexistent"), "gives no NATS_SEED_OBSERVER"),
        (("observer", "--name", "../up", "--data-dir", "{data}"), "no name of a context"),
        (("observer", "--data-dir", "{data}"), "No hub runs"),
        (("gateway", "--data-dir", "{data}"), "observer"),
    ],
)
def test_a_context_that_cannot_be_written_says_why(
    folder: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    variables = tmp_path / ".env"
    variables.write_text("NATS_SEED_OBSERVER=SUAGGHQZ\n")
    given = [word.format(env=variables, data=folder) for word in arguments]
    refused = context(tmp_path, *given)
    assert refused.returncode != 0
    assert words in refused.stderr
    assert not (tmp_path / "nats").exists()
