"""The data folder of an embedded hub: where everything lies, who may use it, and how others find the hub.

lock            held by the running hub (flock)
runtime.json    where the running hub answers; no credentials in it
agenthub.toml   settings, where people have written some
secret.json     keys of the bus's users, passwords of Postgres, 0600, made on first use
VERSION.json    the layout of this folder
restoring       while a backup is restored into it: what lies here is no whole log
jetstream/      the event log: the one thing here that cannot be rebuilt
nats/           configuration of the nats-server: its users, with the public halves of their keys
jetstream.lock  held by the nats-server that writes there; pg/<major>.lock likewise
pg/<major>/     read models; a new major version of Postgres gets a fresh folder and a replay
run/  logs/  workspaces/
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec

from agenthub_runtime.bus_users.keys import new_seed, public_key, with_login
from agenthub_runtime.bus_users.rights import ADMIN, users_of
from agenthub_runtime.embedded.place import RunningHub, absolute_folder, running_hub_on
from agenthub_runtime.errors import DataDirBusy, DataDirUnusable
from agenthub_runtime.file_lock import try_lock
from agenthub_runtime.postgres.roles import READER
from agenthub_runtime.seal_keys import new_seal_key, with_seal_key

# What a start makes before it is known as a hub's folder, or who starts it; a disk of its own brings the last one.
_MADE = (
    *("jetstream", "nats", "run", "logs", "workspaces", "pg"),
    *("jetstream.lock", "secret.json", "VERSION.json"),
    # Last, for it says that the rest is not whole.
    "restoring",
)
_OWN_NAMES = frozenset({*_MADE, "lock", "up.log", "agenthub.toml", "lost+found"})
_HALF_WRITTEN = (".VERSION.json.", ".secret.json.", ".runtime.json.")
LAYOUT = 1
USER = "agenthub"
SEALER = "orchestrator"

_Password: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]


class Secrets(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of the bus's users by name, passwords of Postgres, keys of links and seals; no repr shows them."""

    postgres_password: _Password
    reader_password: str = ""
    nats_seeds: Mapping[str, _Password] = {}
    link_key: str = ""
    seal_key: str = ""
    seal_keys: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "Secrets(…)"

    def authorise(self, url: str, user: str = ADMIN) -> str:
        """`url` of an embedded server with user and secret in it: nats:// for `user`, postgresql:// to write."""
        if url.startswith("nats:"):
            return with_login(url, user, self.nats_seeds[user])
        return with_login(url, USER, self.postgres_password)

    def authorise_reader(self, url: str) -> str:
        """`url` of the embedded Postgres with the user that reads only."""
        return with_login(url, READER, self.reader_password)

    def public_keys(self) -> dict[str, str]:
        """What the nats-server has to know of each user."""
        return {user: public_key(seed) for user, seed in self.nats_seeds.items()}

    def all(self) -> tuple[str, ...]:
        """Every secret here, to be masked wherever it may turn up."""
        passwords = (self.postgres_password, self.reader_password)
        return (*self.nats_seeds.values(), *passwords, self.link_key, self.seal_key)

    def completed(self, users: Iterable[str]) -> Secrets:
        """The same, with a key for each of `users` and whatever else a folder of an older agenthub lacks."""
        seeds = {**{user: new_seed() for user in users if user not in self.nats_seeds}, **self.nats_seeds}
        seal_key = self.seal_key or new_seal_key()
        return msgspec.structs.replace(
            self,
            nats_seeds=seeds,
            reader_password=self.reader_password or _password(),
            link_key=self.link_key or _password(),
            seal_key=seal_key,
            seal_keys=with_seal_key(self.seal_keys, seal_key),
        )


class _Version(msgspec.Struct, frozen=True):
    layout: int


class DataDir:
    """One data folder. Making the object touches nothing; `claim` and `prepare` create what is missing."""

    def __init__(self, root: Path) -> None:
        # Children run with "/" as their working directory, so every path must be absolute.
        self.root = absolute_folder(root)
        self.jetstream = self.root / "jetstream"
        self.run = self.root / "run"
        self.logs = self.root / "logs"
        self.workspaces = self.root / "workspaces"
        self._made_root = False

    def pg(self, major: int) -> Path:
        """The data folder of one major version of Postgres."""
        return self.root / "pg" / str(major)

    def log_file(self, name: str) -> Path:
        """The log of the process called `name`, e.g. `nats` or `Worker-1`."""
        return self.logs / f"{name}.log"

    def prepare(self) -> None:
        """Create the folders and check the layout. Raises `DataDirUnusable`."""
        try:
            self._made_root = self._made_root or not self.root.exists()
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._refuse_foreign()
            for folder in (self.jetstream, self.run, self.logs, self.workspaces, self.root / "pg"):
                folder.mkdir(exist_ok=True)
            self._check_layout()
        except OSError as error:
            raise self._unusable(error) from error

    @property
    def is_fresh(self) -> bool:
        """Whether no event was ever kept here. Ask while the folder is claimed: before, another hub may start."""
        return not any(self.jetstream.iterdir())

    def discard(self) -> None:
        """Take away what a start that failed has made in a fresh folder. Only who has claimed it may call this."""
        self._remove_made()
        # Last, for who comes now finds the lock held; what others have put into the folder keeps it.
        (self.root / "lock").unlink(missing_ok=True)
        if self._made_root:
            with suppress(OSError):
                self.root.rmdir()

    @property
    def is_half_restored(self) -> bool:
        """Whether a backup was restored here and not to its end. Ask while the folder is claimed."""
        return (self.root / "restoring").exists()

    @contextmanager
    def restoring(self) -> Iterator[None]:
        """While a backup is restored into a fresh folder: who is killed leaves one that no hub starts on.

        What such a one has left is taken away first. Only who has claimed the folder may call this. Raises
        `DataDirUnusable`.
        """
        if self.is_half_restored:
            self._remove_made()
            self.prepare()
        try:
            self._write_mark()
            yield
            (self.root / "restoring").unlink()
        except BaseException:
            self.discard()
            raise

    @cached_property
    def secrets(self) -> Secrets:
        """The passwords of this folder's servers, made on first use. Raises `DataDirUnusable`."""
        path = self.root / "secret.json"
        try:
            found = msgspec.json.decode(path.read_bytes(), type=Secrets)
        except FileNotFoundError:
            found = Secrets(postgres_password=_password())
        except msgspec.DecodeError as error:
            raise DataDirUnusable(f"{path} is damaged: restore it from a backup of the folder") from error
        return self._kept(found, found.completed(users_of()))

    def add_users(self, users: Iterable[str]) -> None:
        """See to it that each of these users of the bus has a key. Raises `DataDirUnusable`."""
        self.__dict__["secrets"] = self._kept(self.secrets, self.secrets.completed(users))

    def rotate_keys(self, users: Iterable[str] = ()) -> tuple[str, ...]:
        """Give new keys to `users` of the bus, or to all of them; returns who got one.

        With the orchestrator's goes the key of seals, whose public half is kept: it has signed what is in the log.
        Only who has claimed the folder may call this: a hub that runs goes on with the old ones. Raises
        `DataDirUnusable`.
        """
        old = self.secrets
        rotated = tuple(users) or tuple(old.nats_seeds)
        kept = {user: seed for user, seed in old.nats_seeds.items() if user not in rotated}
        seal_key = "" if SEALER in rotated else old.seal_key
        fresh = msgspec.structs.replace(old, nats_seeds=kept, seal_key=seal_key).completed(rotated)
        self.__dict__["secrets"] = self._kept(old, fresh)
        return rotated

    @contextmanager
    def claim(self, *, to_restore: bool = False) -> Iterator[None]:
        """Hold this folder for one hub. Raises `DataDirBusy` when another one runs on it, `DataDirUnusable`.

        `to_restore`: also when a backup was restored here and not to its end.
        """
        self.prepare()
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not try_lock(descriptor) or not _is_at(self.root / "lock", descriptor):
                raise DataDirBusy(self._busy_message(descriptor))
            if self.is_half_restored and not to_restore:
                raise DataDirUnusable(
                    f"A backup was restored into {self.root} and not to its end, so a part of the log is missing: "
                    "run the same `agenthub restore` again"
                )
            try:
                os.truncate(descriptor, 0)
                os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            except OSError as error:
                raise self._unusable(error) from error
            yield
            (self.root / "runtime.json").unlink(missing_ok=True)
        finally:
            os.close(descriptor)

    def announce(self, hub: RunningHub) -> None:
        """Let other shells find the running hub. Raises `DataDirUnusable`."""
        self._write(self.root / "runtime.json", hub, mode=0o644)

    def running_hub(self) -> RunningHub | None:
        """The hub that runs on this folder now and has announced itself, else None."""
        return running_hub_on(self.root)

    def _write_mark(self) -> None:
        try:
            write_atomically(self.root / "restoring", b"", mode=0o600)
        except OSError as error:
            raise self._unusable(error) from error

    def _remove_made(self) -> None:
        for path in (self.root / name for name in _MADE):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _kept(self, old: Secrets, new: Secrets) -> Secrets:
        if new != old:
            self._write(self.root / "secret.json", new, mode=0o600)
        return new

    def _refuse_foreign(self) -> None:
        """A folder that holds other things than a hub's is somebody's own: nothing is put into it."""
        names = {path.name for path in self.root.iterdir()}
        foreign = sorted(name for name in names - _OWN_NAMES if not name.startswith(_HALF_WRITTEN))
        if foreign and "VERSION.json" not in names:
            raise DataDirUnusable(
                f"{self.root} is not empty and no data folder of agenthub (it holds {foreign[0]!r}): name a new "
                "or an empty folder with --data-dir or AGENTHUB_DATA_DIR"
            )

    def _check_layout(self) -> None:
        path = self.root / "VERSION.json"
        try:
            found = msgspec.json.decode(path.read_bytes(), type=_Version).layout
        except FileNotFoundError:
            write_atomically(path, msgspec.json.encode(_Version(LAYOUT)), mode=0o644)
            return
        except msgspec.DecodeError as error:
            raise DataDirUnusable(f'{path} is damaged: expected {{"layout": {LAYOUT}}}') from error
        if found > LAYOUT:
            raise DataDirUnusable(
                f"The data folder {self.root} was written by a newer agenthub (layout {found}, this one knows "
                f"{LAYOUT}): update agenthub, or choose another folder with --data-dir"
            )

    def _write(self, path: Path, what: msgspec.Struct, *, mode: int) -> None:
        try:
            write_atomically(path, msgspec.json.encode(what), mode=mode)
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> DataDirUnusable:
        what = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
        return DataDirUnusable(
            f"The data folder {self.root} cannot be used ({what}): choose another with --data-dir or "
            "AGENTHUB_DATA_DIR"
        )

    def _busy_message(self, descriptor: int) -> str:
        pid = os.pread(descriptor, 32, 0).decode(errors="replace") or "unknown"
        return (
            f"A hub already runs on the data folder {self.root} (pid {pid}): "
            "stop it, or choose another folder with --data-dir or AGENTHUB_DATA_DIR"
        )


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is still the one at `path`: a start that failed may have taken it away."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def write_atomically(path: Path, data: bytes, *, mode: int) -> None:
    """Replace `path` as a whole: readers see the old content or the new, and a crash leaves one of both."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with open(descriptor, "wb") as file:
        file.write(data)  # the whole of it: one call of the system may store a part where the disk ends
        file.flush()
        os.fsync(descriptor)
    fresh.replace(path)


def _password() -> str:
    return "p" + secrets.token_hex(24)
