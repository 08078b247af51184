"""Which of the host's own files every sandbox shows beside `/usr`, and which among its tools it hides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

SYSTEM = Path("/usr")
# What programs below /usr read of their own. Nothing here says who works on this machine or how it gets elsewhere.
_SETTINGS = (
    "ImageMagick-*",
    "alternatives",
    "debian_version",
    "fonts",
    "gai.conf",
    "groovy",
    "host.conf",
    "java-*",
    "ld.so.cache",
    "locale.alias",
    "localtime",
    "lsb-release",
    "magic",
    "magic.mime",
    "maven/logging",
    "maven/m2.conf",
    "mime.types",
    "networks",
    "os-release",
    "perl",
    "protocols",
    "python3*",
    "rpc",
    "services",
    "sgml",
    "ssl/certs",
    "ssl/openssl.cnf",
    "terminfo",
    "timezone",
    "xml",
)
# Package clients also keep settings beside themselves, where a password for a private source may stand.
_OF_A_TOOL = ("etc/npmrc", "etc/pip.conf", "pip.conf", "conf/settings.xml")
_OF_THE_SYSTEM = (
    *("etc/npmrc", "local/etc/npmrc", "local/pip.conf", "pip.conf"),
    *("share/*/conf/settings.xml", "local/*/conf/settings.xml", "local/share/*/conf/settings.xml"),
)


def shown_settings(etc: Path = Path("/etc")) -> tuple[Path, ...]:
    """The files and folders of `/etc` without which programs of the system do not work as at home."""
    return tuple(sorted(path for pattern in _SETTINGS for path in etc.glob(pattern)))


def hidden_of_the_system(system: Path = SYSTEM) -> tuple[Path, ...]:
    """Files below `/usr` that may hold credentials of package clients."""
    return tuple(_files(system, _OF_THE_SYSTEM))


def hidden_among(tools: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Each file that may hold credentials, after the folder of a tool in which it lies."""
    return ((folder, path) for folder in tools for path in _files(folder, _OF_A_TOOL))


def _files(folder: Path, patterns: Iterable[str]) -> Iterator[Path]:
    """Those that are there; a link out of the folder leads nowhere inside."""
    found = (path.resolve() for pattern in patterns for path in folder.glob(pattern) if path.is_file())
    return (path for path in found if path.is_relative_to(folder))
