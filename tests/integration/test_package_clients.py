"""Where the package clients of a machine fetch from, as they say themselves, and what of it is seen inside."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from agenthub_worker.environment.network.package_sources import package_sources
from agenthub_worker.environment.package_clients import PackageClients, ask_clients
from agenthub_worker.errors import SetupFailed

SECRET = "hunter2-of-the-index"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / ".cargo").mkdir(parents=True)
    (tmp_path / "home" / ".m2").mkdir()
    return tmp_path / "home"


def programs(folder: Path, **said: str) -> str:
    """A PATH with clients that answer these lines to any question."""
    (folder / "bin").mkdir()
    for name, lines in said.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\ncat <<'END'\n{lines}\nEND\n")
        (folder / "bin" / name).chmod(0o755)
    return f"{folder}/bin:/usr/bin:/bin"


def seen_inside(clients: PackageClients) -> str:
    return f"{dict(clients.variables)} {clients.folders} {dict(clients.files)}"


async def test_what_npm_is_told_for_everybody_counts_beside_what_a_person_has_set(
    home: Path, tmp_path: Path
) -> None:
    everybody = tmp_path / "npmrc"
    everybody.write_text(
        f"@ada:registry=https://ada.test/\n@all:registry=https://all.test/\n//all.test/:_authToken={SECRET}\n"
    )
    (home / ".npmrc").write_text("@ada:registry=https://own.test/\n")
    authority = tmp_path / "authority.pem"
    authority.write_text("-----BEGIN CERTIFICATE-----\n")
    said = f"registry=https://npm.test/?a=b\ncafile={authority}\nglobalconfig={everybody}"
    clients = await ask_clients({"PATH": programs(tmp_path, npm=said)}, home)
    assert clients.variables["npm_config_registry"] == "https://npm.test/?a=b"
    assert clients.variables["npm_config_cafile"] == str(authority)
    assert authority in clients.folders
    assert clients.files["npm/npmrc"] == "@ada:registry=https://own.test/\n@all:registry=http://all.test/\n"
    assert [source.authorization for source in clients.guarded] == [f"Bearer {SECRET}"]
    assert SECRET not in seen_inside(clients)


async def test_a_client_that_does_not_say_where_packages_come_from_is_not_taken_for_one_without_settings(
    home: Path, tmp_path: Path
) -> None:
    path = programs(tmp_path, npm="registry=https://npm.test/")
    hangs = tmp_path / "bin" / "npm"
    answers = hangs.read_text()
    hangs.write_text("#!/bin/sh\nexec sleep 600\n")
    with pytest.raises(SetupFailed, match=r"has not answered within 5 s: .* Try again"):
        await ask_clients({"PATH": path}, home, within_s=5)
    hangs.write_text(answers)
    clients = await ask_clients({"PATH": path}, home)
    assert clients.variables["npm_config_registry"] == "https://npm.test/"


async def test_each_client_is_asked_and_no_password_goes_inside(home: Path, tmp_path: Path) -> None:
    path = programs(
        tmp_path,
        npm=f"https://ada:{SECRET}@npm.test/x/",
        go=f"https://ada:{SECRET}@go.test,https://second.test|direct\noff",
    )
    pip = f"https://ada:{SECRET}@pip.test:8443/simple"
    variables = {"PATH": path, "PIP_INDEX_URL": pip, "PIP_EXTRA_INDEX_URL": "https://extra.test/simple"}
    clients = await ask_clients(variables, home)
    sources = {source.named: source for source in package_sources(clients.addresses)}
    for name in ("npm.test:443", "go.test:443", "pip.test:8443"):
        assert sources[name].authorization
        assert sources[name].secure
    assert {"second.test:443", "extra.test:443"} <= set(sources)
    assert not {"direct:443", "off:443"} & set(sources)
    inside = clients.variables
    assert inside["npm_config_registry"] == "http://npm.test/x/"
    assert inside["GOPROXY"] == "http://go.test,https://second.test,direct"
    assert inside["GOSUMDB"] == "off"
    assert inside["PIP_INDEX_URL"] == inside["UV_DEFAULT_INDEX"] == "http://pip.test:8443/simple"
    assert inside["PIP_EXTRA_INDEX_URL"] == "https://extra.test/simple"
    assert "pip.test:8443" in inside["PIP_TRUSTED_HOST"].split()
    assert SECRET not in seen_inside(clients)


async def test_settings_of_cargo_and_maven_go_inside_without_what_is_secret(home: Path, tmp_path: Path) -> None:
    (home / ".cargo" / "config.toml").write_text(
        '[source.crates-io]\nreplace-with = "ours"\n'
        f'[source.ours]\nregistry = "sparse+https://ada:{SECRET}@crates.test/index/"\n'
        f'[registries.team]\nindex = "https://team.test/index"\ntoken = "{SECRET}"\n'
        f'[build]\nrustc-wrapper = "/opt/x"\n[registry]\ntoken = "{SECRET}"\n'
    )
    (home / ".m2" / "settings.xml").write_text(
        "<settings><!-- <mirror><url>https://example-in-a-comment.test</url></mirror> -->"
        "<mirrors><mirror><mirrorOf>external:http:*</mirrorOf><url>http://0.0.0.0/</url><blocked>true</blocked>"
        "</mirror><mirror><id>m</id><mirrorOf>*</mirrorOf><url>https://maven.test/all</url></mirror>"
        f"</mirrors><servers><server><id>m</id><password>{SECRET}</password></server></servers></settings>"
    )
    clients = await ask_clients({"PATH": programs(tmp_path)}, home)
    sources = {source.named: source for source in package_sources(clients.addresses)}
    assert sources["crates.test:443"].authorization
    assert {"team.test:443", "maven.test:443"} <= set(sources)
    assert not {"example-in-a-comment.test:443", "0.0.0.0:80"} & set(sources)
    assert tomllib.loads(clients.files["cargo/config.toml"]) == {
        "source": {
            "crates-io": {"replace-with": "ours"},
            "ours": {"registry": "sparse+http://crates.test/index/"},
        },
        "registries": {"team": {"index": "https://team.test/index"}},
    }
    assert "<mirrorOf>*</mirrorOf>" in clients.files["m2/settings.xml"]
    assert SECRET not in seen_inside(clients)


async def test_certificates_and_folders_of_packages_go_along_where_they_exist(home: Path, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    (tmp_path / "wheels").mkdir()
    variables = {
        "PATH": programs(tmp_path),
        "SSL_CERT_FILE": str(tmp_path / "ca.pem"),
        "NODE_EXTRA_CA_CERTS": str(tmp_path / "gone.pem"),
        "PIP_FIND_LINKS": str(tmp_path / "wheels"),
    }
    clients = await ask_clients(variables, home)
    assert clients.variables["SSL_CERT_FILE"] == str(tmp_path / "ca.pem")
    assert "NODE_EXTRA_CA_CERTS" not in clients.variables
    assert clients.variables["PIP_FIND_LINKS"] == str(tmp_path / "wheels")
    assert {tmp_path / "ca.pem", tmp_path / "wheels"} <= set(clients.folders)


async def test_a_client_that_fails_or_is_missing_says_nothing(home: Path, tmp_path: Path) -> None:
    programs(tmp_path, npm="x")
    (tmp_path / "bin" / "npm").write_text("#!/bin/sh\necho https://half.test\nexit 1\n")
    (home / ".cargo" / "config.toml").write_text("[source\n")
    clients = await ask_clients({"PATH": f"{tmp_path}/bin"}, home)
    assert clients.addresses == ()
