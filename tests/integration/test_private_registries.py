"""Registries that need a token: the machine's own clients have it, the proxy adds it, nothing inside sees it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agenthub_worker.environment.package_clients import ask_clients
from agenthub_worker.environment.provision import Environments
from agenthub_worker.environment.recipe import NOTHING_GIVEN, GivenSetup
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from tests.support.private_registry import (
    CARGO_TOKEN,
    CHECKSUM,
    INTEGRITY,
    NPM_TOKEN,
    running_registry,
)

ILLEGIBLE = b"= <mirror> \xff [ //x/:_authToken=a\n//[:_auth=b\n//h/:_password=%%\n//h/:username=x"
LOOK = "env; cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'; find /environment -type f -exec cat {} +"


async def test_what_npm_cargo_and_maven_know_goes_to_the_proxy_and_not_inside(tmp_path: Path) -> None:
    home = tmp_path / "home"
    for name, text in {
        ".npmrc": (
            "registry=https://npm.test/npm\n@acme:registry=https://acme.test:8443/\n# x=y\n"
            "//npm.test/npm/:_authToken=${SECRET_TOKEN}\n//acme.test:8443/:_password=c2VjcmV0\n"
            "//acme.test:8443/:username=ada\nalways-auth=true\n"
        ),
        ".cargo/config.toml": '[registries.acme-x]\nindex = "sparse+https://crates.test/index/"\n'
        '[registries.open]\nindex = "sparse+https://open.test/"\n',
        ".cargo/credentials.toml": '[registries.acme-x]\ntoken = "cargo-secret"\n',
        ".m2/settings.xml": (
            "<settings><servers><server><id>acme</id><username>ada</username><password>${env.SECRET_TOKEN}"
            "</password></server><server><id>enc</id><username>a</username><password>{x}</password></server>"
            "</servers><mirrors><mirror><id>acme</id><mirrorOf>*</mirrorOf><url>https://maven.test/all</url></mirror>"
            "<mirror><id>url</id><mirrorOf>x</mirrorOf><url>https://ada:in-the-url@url.test/m</url></mirror>"
            "</mirrors><profiles><profile><repositories><repository><id>enc</id><url>https://enc.test/</url>"
            "</repository></repositories></profile></profiles></settings>"
        ),
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    clients = await ask_clients({"PATH": str(tmp_path), "SECRET_TOKEN": "tok-of-npm"}, home)
    known = {source.named: source.authorization for source in clients.guarded}
    assert known == {
        "npm.test:443": "Bearer tok-of-npm",
        "acme.test:8443": "Basic YWRhOnNlY3JldA==",
        "crates.test:443": "cargo-secret",
        "maven.test:443": "Basic YWRhOnRvay1vZi1ucG0=",
    }
    assert {"sparse+https://open.test/", "https://enc.test/"} <= set(clients.addresses)
    inside = clients.files
    assert inside["npm/npmrc"] == "registry=http://npm.test/npm/\n@acme:registry=http://acme.test:8443/\n"
    assert "sparse+http://crates.test/index/" in inside["cargo/config.toml"]
    assert "sparse+https://open.test/" in inside["cargo/config.toml"]
    assert "<url>http://maven.test/all</url>" in inside["m2/settings.xml"]
    assert "<url>http://url.test/m</url>" in inside["m2/settings.xml"]
    shown = f"{dict(inside)} {dict(clients.variables)}"
    assert not [secret for secret in ("tok-of-npm", "c2VjcmV0", "cargo-secret", "in-the-url") if secret in shown]


async def test_settings_that_nobody_can_read_say_nothing(tmp_path: Path) -> None:
    for name in (".npmrc", ".cargo/config.toml", ".cargo/credentials.toml", ".m2/settings.xml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(ILLEGIBLE)
    clients = await ask_clients({"PATH": str(tmp_path)}, tmp_path)
    assert not {"npm/npmrc", "cargo/config.toml", "cargo/credentials.toml"} & set(clients.files)
    assert [source.named for source in clients.guarded] == []


@pytest.mark.extra
async def test_npm_and_cargo_install_from_a_registry_that_needs_a_token(tmp_path: Path) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    (home / ".cargo").mkdir(parents=True)
    (project / "web").mkdir(parents=True)
    (project / "src").mkdir()
    with running_registry() as registry:
        (home / ".npmrc").write_text(
            f"registry={registry.url}/npm/\n//{registry.url.removeprefix('http://')}/npm/:_authToken={NPM_TOKEN}\n"
        )
        index = f"sparse+{registry.url}/index/"
        (home / ".cargo/config.toml").write_text(f'[registries.acme]\nindex = "{index}"\n')
        (home / ".cargo/credentials.toml").write_text(f'[registries.acme]\ntoken = "{CARGO_TOKEN}"\n')
        root = {"name": "app", "version": "1.0.0", "dependencies": {"tide": "1.0.0"}}
        tarball = {
            "version": "1.0.0",
            "resolved": f"{registry.url}/npm/tide/-/tide-1.0.0.tgz",
            "integrity": INTEGRITY,
        }
        lock = {"name": "app", "lockfileVersion": 3, "packages": {"": root, "node_modules/tide": tarball}}
        (project / "web/package.json").write_text(json.dumps(root))
        (project / "web/package-lock.json").write_text(json.dumps(lock))
        (project / "Cargo.toml").write_text(
            '[package]\nname = "app"\nversion = "1.0.0"\nedition = "2021"\n[dependencies]\n'
            'tide = { version = "1.0.0", registry = "acme" }\n'
        )
        (project / "Cargo.lock").write_text(
            'version = 3\n[[package]]\nname = "app"\nversion = "1.0.0"\ndependencies = ["tide"]\n[[package]]\n'
            f'name = "tide"\nversion = "1.0.0"\nsource = "{index}"\nchecksum = "{CHECKSUM}"\n'
        )
        (project / "src/main.rs").write_text('fn main() { println!("level {}", tide::LEVEL) }\n')
        machine = Environments(tmp_path / "environments", Bubblewrap(), os.environ, home)
        given = GivenSetup(folders=("web",))
        made = await machine.prepare(project, given)
        assert made.source == "Cargo.lock, web/package-lock.json"
        sandbox = machine.sandbox(given)
        told = await sandbox.run(
            "cd web && node -p 'require(\"tide\").level' && cd .. && cargo run -q --offline --target-dir /tmp/t",
            workspace=project,
            timeout_s=120,
        )
        assert told.text.endswith("3\nlevel 3\n"), told.text
        seen = await sandbox.run(LOOK, workspace=project, timeout_s=60)
        looked = await machine.prepare(project, GivenSetup(commands=(LOOK,), folders=("web",)))
    for token in (NPM_TOKEN, CARGO_TOKEN):
        assert token.encode() not in seen.output + looked.log + made.log
    assert not machine.asked_for({}, NOTHING_GIVEN)
    assert {path for path, _ in registry.asked} >= {"/npm/tide/-/tide-1.0.0.tgz", "/dl/tide/1.0.0/download"}
