"""What compose.yaml says is to run, read by the real Compose and laid out on loopback addresses.

Each container gets an address of its own in 127.0.0.0/8, so that every port is the one that the file names. The
folders and files that would be mounted lie below a folder of its own, and paths and host names in commands,
environments and health checks are rewritten to match. Nothing else is.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.support.compose import compose_config

# What the image says of itself (Dockerfile), as far as a process needs it.
_IMAGE_ENV = {"AGENTHUB_DATA_DIR": "/var/lib/agenthub", "PYTHONUNBUFFERED": "1"}
_FOLDERS = ("/tmp", "/var/lib/agenthub")


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """One container of a service as a process: its command, environment and health check are ready to run."""

    name: str
    service: str
    address: str
    folder: Path
    command: tuple[str, ...]
    env: Mapping[str, str]
    health: tuple[str, ...]


class Topology:
    """The file with `secrets` as its folder of secrets, below `folder`, at addresses that begin with `prefix`.

    `elsewhere` has the places (`host:port`) of what runs in another way, such as `postgres`; `programs` what the
    images run that are not ours. What has neither is left out.
    """

    def __init__(
        self,
        folder: Path,
        *,
        secrets: Path,
        prefix: str,
        env: Mapping[str, str],
        elsewhere: Mapping[str, str],
        programs: Mapping[str, Sequence[str]],
    ) -> None:
        self.config = compose_config({"AGENTHUB_SECRETS_DIR": str(secrets), **env})
        self._folder = folder
        self._prefix = prefix
        self._elsewhere = dict(elsewhere)
        self._programs = programs
        self._addresses = dict(self._numbered())

    def containers(self) -> list[Container]:
        """Every container that the file wants, in its order."""
        return [self._container(name) for name in self._addresses]

    def address_of(self, service: str, number: int = 1) -> str:
        """The loopback address of a container."""
        return self._addresses[_name(service, number)]

    def _numbered(self) -> Iterator[tuple[str, str]]:
        place = 0
        for service, said in self.config["services"].items():
            if service in self._elsewhere or not self._program(service):
                continue
            for number in range(1, int(said.get("deploy", {}).get("replicas", 1)) + 1):
                place += 1
                yield _name(service, number), f"{self._prefix}.{place}"

    def _program(self, service: str) -> Sequence[str]:
        said = self.config["services"][service]
        if "build" in said:
            return (sys.executable, "-m", "agenthub_cli.main")
        return self._programs.get(str(said["image"]).partition(":")[0], ())

    def _container(self, name: str) -> Container:
        service = name.rpartition("-")[0]
        said = self.config["services"][service]
        folder = self._folder / name
        root = folder / "root"
        targets = self._lay_out(service, root)
        address = self._addresses[name]

        mounted = re.compile(rf"(?<![\w./])(?:{'|'.join(map(re.escape, targets))})(?=$|[/\"?&])")

        def here(text: str) -> str:
            text = mounted.sub(lambda found: f"{root}{found[0]}", text)
            text = text.replace("0.0.0.0", address)
            text = text.replace("127.0.0.1", address)
            return self._with_places(text)

        environment = {**_IMAGE_ENV, **{key: str(value) for key, value in (said.get("environment") or {}).items()}}
        check = said["healthcheck"]["test"]
        assert check[0] == "CMD", check
        return Container(
            name=name,
            service=service,
            address=address,
            folder=folder,
            command=(*self._program(service), *map(here, said.get("command") or ())),
            env={key: here(value) for key, value in environment.items()},
            health=tuple(sys.executable if word == "python" else here(word) for word in check[1:]),
        )

    def _with_places(self, text: str) -> str:
        for name, place in self._elsewhere.items():
            text = re.sub(rf"(?<=[/@]){name}:\d+", place, text)
        for service in self.config["services"]:
            if _name(service, 1) in self._addresses:
                text = re.sub(rf"(?<=[/@]){service}(?=:\d)", self._addresses[_name(service, 1)], text)
        return text

    def _lay_out(self, service: str, root: Path) -> list[str]:
        """Make what would be mounted; returns where, the longest path first."""
        said = self.config["services"][service]
        mounts = {
            target: Path(self.config["secrets"][secret["source"]]["file"])
            for secret in said.get("secrets", ())
            for target in [_secret_target(secret)]
        }
        folders = list(_FOLDERS)
        for volume in said.get("volumes", ()):
            if volume["type"] == "bind":
                mounts[volume["target"]] = Path(volume["source"])
            else:
                folders.append(volume["target"])
        for target in folders:
            (root / target.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for target, source in mounts.items():
            link = root / target.lstrip("/")
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(source)
        return sorted({*folders, *mounts}, key=len, reverse=True)


def _secret_target(secret: Mapping[str, Any]) -> str:
    target = str(secret.get("target", secret["source"]))
    return target if target.startswith("/") else f"/run/secrets/{target}"


def _name(service: str, number: int) -> str:
    return f"{service}-{number}"
