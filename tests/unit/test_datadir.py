"""The data folder: one hub at a time, secrets for its owner alone, and a way for others to find the hub."""

from __future__ import annotations

import json
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agenthub_runtime.bus_users.rights import users_of, worker_user
from agenthub_runtime.embedded.data_folder import DataDir, write_atomically
from agenthub_runtime.embedded.place import RunningHub, default_data_dir
from agenthub_runtime.errors import DataDirBusy, DataDirUnusable

HUB = RunningHub(
    pid=1,
    url="http://127.0.0.1:8000",
    nats_url="nats://127.0.0.1:4222",
    postgres_url="postgresql://127.0.0.1:5432/agenthub",
    started_at="2026-11-24T09:00:00Z",
    version="0.1.0",
)


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_second_hub_on_the_same_folder_is_told_who_runs_there(tmp_path: Path) -> None:
    with DataDir(tmp_path).claim():
        with pytest.raises(DataDirBusy) as caught, DataDir(tmp_path).claim():
            pass
        assert str(os.getpid()) in str(caught.value)
        assert str(tmp_path) in str(caught.value)
    with DataDir(tmp_path).claim():
        pass


def test_secrets_are_made_once_and_belong_to_the_owner_alone(tmp_path: Path) -> None:
    data = DataDir(tmp_path / "hub")
    data.prepare()
    made = data.secrets
    assert DataDir(tmp_path / "hub").secrets == made
    assert len(set(made.all())) == len(made.all())
    assert stat.S_IMODE((data.root / "secret.json").stat().st_mode) == 0o600
    assert not any(secret in repr(made) for secret in made.all())
    assert set(made.nats_seeds) == set(users_of())


def test_a_folder_of_an_older_agenthub_gets_what_it_lacks(tmp_path: Path) -> None:
    old = {"nats_password": "p1", "postgres_password": "p2", "link_key": "p3"}
    (tmp_path / "secret.json").write_text(json.dumps(old))
    secrets = DataDir(tmp_path).secrets
    assert (secrets.postgres_password, secrets.link_key) == ("p2", "p3")
    assert set(secrets.nats_seeds) == set(users_of())
    assert secrets.reader_password
    assert DataDir(tmp_path).secrets == secrets
    assert stat.S_IMODE((tmp_path / "secret.json").stat().st_mode) == 0o600


def test_keys_are_rotated_for_one_or_for_all(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    first = data.secrets
    assert data.rotate_keys(["gateway"]) == ("gateway",)
    second = data.secrets
    assert [user for user in users_of() if first.nats_seeds[user] != second.nats_seeds[user]] == ["gateway"]
    assert set(data.rotate_keys()) == set(users_of())
    third = DataDir(tmp_path).secrets
    assert not set(second.nats_seeds.values()) & set(third.nats_seeds.values())
    assert (third.postgres_password, third.link_key) == (first.postgres_password, first.link_key)


def test_a_combination_of_types_gets_a_key_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    user = worker_user(["testing", "coding"])
    assert user == worker_user(["coding", "testing"]) == "worker-coding-testing"
    data = DataDir(tmp_path)
    data.add_users([user])
    assert data.secrets.nats_seeds[user] == DataDir(tmp_path).secrets.nats_seeds[user]


@pytest.mark.parametrize(
    "text",
    ['{"postgres_password": ""}', "{}", "", '{"nats_password": ', '{"postgres_password": "p", "nats_seeds": 1}'],
)
def test_secrets_that_cannot_be_right_are_called_damaged(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret.json").write_text(text)
    with pytest.raises(DataDirUnusable, match=r"secret\.json is damaged: restore it"):
        _ = DataDir(tmp_path).secrets


def test_each_server_gets_its_own_password(tmp_path: Path) -> None:
    secrets = DataDir(tmp_path).secrets
    assert secrets.authorise(HUB.nats_url) == f"nats://agenthub:{secrets.nats_seeds['agenthub']}@127.0.0.1:4222"
    assert secrets.authorise(HUB.postgres_url) == (
        f"postgresql://agenthub:{secrets.postgres_password}@127.0.0.1:5432/agenthub"
    )


def test_a_running_hub_is_found_and_a_dead_one_is_not(tmp_path: Path) -> None:
    data = DataDir(tmp_path)
    assert data.running_hub() is None
    with data.claim():
        assert data.running_hub() is None
        data.announce(HUB)
        assert DataDir(tmp_path).running_hub() == HUB
    assert data.running_hub() is None
    data.announce(HUB)  # as a killed hub leaves it
    assert data.running_hub() is None


def test_a_file_that_finds_no_room_leaves_the_old_one_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "runtime.json"
    write_atomically(file, b"old", mode=0o600)
    with room_for(4), pytest.raises(OSError, match="too large"):
        write_atomically(file, b"longer than the room", mode=0o600)
    assert file.read_bytes() == b"old"


def test_a_folder_without_room_is_named_with_the_remedy(tmp_path: Path) -> None:
    for _ in ("a fresh folder", "one that has been used"):
        with room_for(0), pytest.raises(DataDirUnusable) as caught, DataDir(tmp_path).claim():
            pass
        assert str(caught.value).startswith(f"The data folder {tmp_path} cannot be used (File too large)")
        assert "--data-dir" in str(caught.value)
        with DataDir(tmp_path).claim():
            pass
    with room_for(0), pytest.raises(DataDirUnusable, match="--data-dir"):
        _ = DataDir(tmp_path).secrets
    with room_for(0), pytest.raises(DataDirUnusable, match="--data-dir"):
        DataDir(tmp_path).announce(HUB)


def test_a_folder_of_a_newer_agenthub_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "VERSION.json").write_text('{"layout": 99}')
    with pytest.raises(DataDirUnusable, match="newer"):
        DataDir(tmp_path).prepare()
    assert json.loads((tmp_path / "VERSION.json").read_text()) == {"layout": 99}


def test_a_folder_that_cannot_be_made_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirUnusable, match="--data-dir"):
        DataDir(tmp_path / "file" / "hub").prepare()


def test_paths_are_absolute_and_the_default_depends_on_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    assert DataDir(Path("var")).root.is_absolute()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_data_dir() == Path("/var/lib/agenthub")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert default_data_dir().name == "agenthub"
    assert default_data_dir() != Path("/var/lib/agenthub")


def test_only_who_holds_a_fresh_folder_may_take_it_away(tmp_path: Path) -> None:
    winner, loser = DataDir(tmp_path / "hub"), DataDir(tmp_path / "hub")
    with winner.claim():
        before = winner.is_fresh
        (winner.jetstream / "1.blk").write_text("an event")
        assert (before, winner.is_fresh) == (True, False)
        with pytest.raises(DataDirBusy), loser.claim():
            pytest.fail("two hubs on one folder")
    assert (winner.jetstream / "1.blk").read_text() == "an event"


@pytest.mark.parametrize("found", ["nothing", "an empty folder", "the log of who started it"])
def test_a_start_that_failed_takes_away_what_it_has_made_and_no_more(tmp_path: Path, found: str) -> None:
    root = tmp_path / "hub"
    if found != "nothing":
        root.mkdir()
    if found == "the log of who started it":
        (root / "up.log").write_text("last words")
    data = DataDir(root)
    with data.claim():
        _ = data.secrets
        data.discard()
    left = sorted(path.name for path in root.iterdir()) if root.exists() else None
    assert left == {"nothing": None, "an empty folder": [], "the log of who started it": ["up.log"]}[found]
    with DataDir(root).claim():
        pass  # and the next start finds nothing in its way


def test_a_lock_that_was_taken_away_meanwhile_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = DataDir(tmp_path / "hub")
    opened = os.open

    def then_gone(path: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = opened(path, flags, mode)
        if Path(path).name == "lock":
            Path(path).unlink()
        return descriptor

    monkeypatch.setattr(os, "open", then_gone)
    with pytest.raises(DataDirBusy), data.claim():
        pytest.fail("a lock that nobody else would find")
