"""The files of a deployment's secrets: made once, kept, completed, and replaced on demand."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509

from agenthub_runtime.bus_users.certificates import new_authority, new_server
from agenthub_runtime.bus_users.env_file import DEPLOYED
from agenthub_runtime.bus_users.keys import public_key
from agenthub_runtime.bus_users.rights import users_of
from agenthub_runtime.bus_users.secret_files import GIVEN, HOSTS, completed_files, seed_file_of
from agenthub_runtime.bus_users.users_file import variable_of
from agenthub_runtime.settings.api_keys import read_api_key


def names_in(certificate: str) -> list[str]:
    found = x509.load_pem_x509_certificate(certificate.encode())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in names]


def test_every_user_has_a_seed_and_the_servers_its_public_half() -> None:
    files, changed = completed_files({})

    public = dict(line.split("=") for line in files["nats_keys.env"].splitlines())
    users = users_of(DEPLOYED)
    assert {user: public[variable_of(user)] for user in users} == {
        user: public_key(files[seed_file_of(user)].strip()) for user in users
    }
    assert not any("SU" in value[:2] for value in public.values())
    assert set(changed) == set(files) - set(GIVEN) | {name for name in GIVEN}
    assert read_api_key(files["api_keys"].strip(), 1).name == "admin"


def test_what_is_there_stays_and_what_is_missing_is_made() -> None:
    files, _ = completed_files({})
    filled = {**files, "anthropic_api_key": "sk-1\n", "api_keys": "anna:" + "x" * 20 + "\n"}
    del filled["nats_seed_gateway"], filled["link_key"]

    again, changed = completed_files(filled)

    assert set(changed) == {"nats_seed_gateway", "nats_keys.env", "link_key"}
    assert {name: again[name] for name in filled if name not in changed} == {
        name: text for name, text in filled.items() if name not in changed
    }
    assert completed_files(again) == (again, ())


def test_new_keys_replace_all_of_the_bus_and_no_password_of_the_database() -> None:
    files, _ = completed_files({})

    again, changed = completed_files(files, rotate=True)

    seeds = {name for name in files if name.startswith("nats_seed_")}
    assert seeds | {"nats_ca.pem", "nats_ca.key", "nats_server.pem", "nats_server.key", "seal_key"} <= set(changed)
    assert not {"db_password", "db_reader_password", "link_key", "api_keys"} & set(changed)
    assert files["seal_keys"].strip() in again["seal_keys"], "older seals can still be checked"


def test_a_further_host_gets_the_servers_a_new_certificate_of_the_same_authority() -> None:
    files, _ = completed_files({})

    again, changed = completed_files(files, ("bus.example.org", "10.0.0.7"))

    assert set(changed) == {"nats_server.pem", "nats_server.key", "nats_hosts"}
    assert names_in(again["nats_server.pem"]) == [*HOSTS, "bus.example.org", "10.0.0.7"]
    assert completed_files(again)[1] == (), "hosts are remembered"


def test_the_certificate_is_one_that_openssl_takes(tmp_path: Path) -> None:
    authority = new_authority()
    server = new_server(authority, ["nats-1", "127.0.0.1"])
    for name, text in (("ca", authority.certificate), ("cert", server.certificate), ("key", server.key)):
        (tmp_path / name).write_text(text)
    context = ssl.create_default_context(cafile=str(tmp_path / "ca"))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(tmp_path / "cert", tmp_path / "key")

    assert shaken(context, serving, "nats-1") == ""
    assert shaken(context, serving, "127.0.0.1") == ""
    assert "Hostname mismatch" in shaken(context, serving, "nats-9")
    assert "local issuer certificate" in shaken(ssl.create_default_context(), serving, "nats-1")


def shaken(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> str:
    """Why a handshake in memory fails; empty when it does not."""
    c_in, c_out, s_in, s_out = (ssl.MemoryBIO() for _ in range(4))
    ends = (
        client.wrap_bio(c_in, c_out, server_hostname=host),
        server.wrap_bio(s_in, s_out, server_side=True),
    )
    for _ in range(4):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                return str(error)
            finally:
                s_in.write(c_out.read())
                c_in.write(s_out.read())
    return ""


def test_an_authority_without_hosts_or_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a host"):
        new_server(new_authority(), [])
    with pytest.raises(ValueError):  # the library's words
        completed_files({"nats_ca.pem": "none\n", "nats_ca.key": "none\n"})


@pytest.mark.parametrize(
    "host", ["", " ", "two words", "bus.example.org:4222", "nats://bus", "ümlaut.example", "a\nb", "-x"]
)
def test_what_is_no_host_gets_no_certificate(host: str) -> None:
    with pytest.raises(ValueError, match="is no name or address of a server"):
        completed_files({}, (host,))


@pytest.mark.parametrize("host", ["bus", "*.bus.example.org", "10.0.0.7", "::1", "fe80::1", "a-b.c"])
def test_names_and_addresses_of_both_kinds_do(host: str) -> None:
    assert host in names_in(completed_files({}, (host,))[0]["nats_server.pem"])
