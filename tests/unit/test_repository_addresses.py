"""Which addresses of repositories are taken, and what is said of the others."""

from __future__ import annotations

import pytest

from agenthub_runtime.remotes.address import check_ref, is_remote, parse_remote
from agenthub_runtime.remotes.credentials import GitAccess
from agenthub_runtime.remotes.errors import RemoteRefused
from agenthub_runtime.remotes.forges import forge_of


@pytest.mark.parametrize(
    ("text", "scheme", "host", "path"),
    [
        ("https://example.org/ada/service.git", "https", "example.org", "/ada/service.git"),
        ("https://Git.Example.org:8443/a/b/c", "https", "git.example.org:8443", "/a/b/c"),
        ("https://example.org/with%20space/x.git", "https", "example.org", "/with space/x.git"),
        ("git@example.org:ada/service.git", "ssh", "example.org", "ada/service.git"),
        ("ada@example.org:/srv/service.git", "ssh", "example.org", "/srv/service.git"),
        ("ssh://git@example.org:2222/srv/x.git", "ssh", "example.org:2222", "/srv/x.git"),
        ("http://127.0.0.1:3000/x.git", "http", "127.0.0.1:3000", "/x.git"),
        ("http://[::1]:3000/x.git", "http", "[::1]:3000", "/x.git"),
    ],
)
def test_an_address_is_taken_apart(text: str, scheme: str, host: str, path: str) -> None:
    assert is_remote(text)
    remote = parse_remote(text)
    assert (remote.url, remote.scheme, remote.host, remote.path) == (text, scheme, host, path)


@pytest.mark.parametrize(
    "text", ["/srv/git/x.git", ".", "../service", "file:///srv/x.git", "C", "service", "a/b:c", "~/x"]
)
def test_a_path_is_no_address(text: str) -> None:
    assert not is_remote(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("https://ada:hunter2@example.org/x.git", "AGENTHUB_GIT_TOKENS"),
        ("https://ghp_hunter2@example.org/x.git", "AGENTHUB_GIT_TOKENS"),
        ("ssh://git:hunter2@example.org/x.git", "holds a credential"),
        ("https://example.org/x.git?access_token=hunter2", "take out"),
        ("https://example.org/x.git#hunter2", "take out"),
        ("http://example.org/x.git", "use https"),
        ("http://127.0.0.1.example.org/x.git", "use https"),
        ("git://example.org/x.git", "not by `git`"),
        ("ext::sh -c id", "space"),
        ("ext::sh", "not by `ext`"),
        ("ftp://example.org/x.git", "not by `ftp`"),
        ("https://example.org/", "lacks its host or its path"),
        ("https:///x.git", "lacks its host or its path"),
        ("https://-oProxyCommand=id/x.git", "lacks its host or its path"),
        ("ssh://-oProxyCommand=id/x.git", "lacks its host or its path"),
        ("https://example.org:port/x.git", "cannot be read"),
        ("https://example.org/x\n.git", "line break"),
    ],
)
def test_an_address_that_is_not_taken_is_explained_without_its_credential(text: str, says: str) -> None:
    with pytest.raises(RemoteRefused) as refused:
        parse_remote(text)
    assert says in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "ref", ["main", "feature/login", "v1.0", "ümläut", "a-b_c", "refs/tags/v1", "@work", "a#1"]
)
def test_a_name_of_a_branch_or_tag_is_taken(ref: str) -> None:
    assert check_ref(ref) == ref


@pytest.mark.parametrize(
    "ref",
    [
        *("", "-x", "--upload-pack=id", "a b", "a..b", "a~1", "HEAD^", "a:b", "+a:b", "a*", "a?", "x.lock"),
        *("/a", "a/", "a//b", "@{-1}", "a\nb", "a\\b", ".a", "a."),
    ],
)
def test_what_can_be_no_name_is_refused(ref: str) -> None:
    with pytest.raises(RemoteRefused, match="can be no branch"):
        check_ref(ref)


def test_a_token_is_in_the_environment_of_git_and_in_no_argument() -> None:
    access = GitAccess(tokens={"example.org": "ada:tok-1234567890"})
    remote = parse_remote("https://example.org/x.git")
    assert access.environment(remote)["AGENTHUB_GIT_TOKEN"] == "tok-1234567890"
    assert "tok-1234567890" not in " ".join(access.options(remote))
    assert "tok-1234567890" not in repr(access)
    elsewhere = parse_remote("https://example.org.evil.example/x.git")
    assert "AGENTHUB_GIT_TOKEN" not in access.environment(elsewhere)
    assert not access.has_credential(elsewhere)


def test_ssh_uses_the_key_of_its_host_and_nothing_else_of_the_account() -> None:
    access = GitAccess(ssh_keys={"example.org": "/keys/with space"})
    command = access.environment(parse_remote("git@example.org:x.git"))["GIT_SSH_COMMAND"]
    assert "-i '/keys/with space'" in command
    assert "IdentityAgent=none" in command
    with pytest.raises(RemoteRefused, match=r"AGENTHUB_GIT_SSH_KEYS to `other\.org="):
        access.environment(parse_remote("git@other.org:x.git"))


def test_a_forge_is_known_by_its_host_or_told() -> None:
    tokens = {
        host: "tok-1234567890" for host in ("github.com", "gitlab.com", "git.example.org", "code.example.org")
    }
    forges = {"git.example.org": "gitlab", "code.example.org": "github:https://code.example.org/x/"}
    access = GitAccess(tokens=tokens, forges=forges)
    found = {
        url: (forge.kind, forge.api, forge.project)
        for url in (
            "https://github.com/ada/service.git",
            "git@github.com:ada/service.git",
            "https://gitlab.com/a/b/c",
            "https://git.example.org/a/b.git",
            "https://code.example.org/a/b",
        )
        for forge in [forge_of(parse_remote(url), access)]
    }
    assert found == {
        "https://github.com/ada/service.git": ("github", "https://api.github.com", "ada/service"),
        "git@github.com:ada/service.git": ("github", "https://api.github.com", "ada/service"),
        "https://gitlab.com/a/b/c": ("gitlab", "https://gitlab.com/api/v4", "a/b/c"),
        "https://git.example.org/a/b.git": ("gitlab", "https://git.example.org/api/v4", "a/b"),
        "https://code.example.org/a/b": ("github", "https://code.example.org/x", "a/b"),
    }
    with pytest.raises(RemoteRefused, match="AGENTHUB_GIT_FORGES"):
        forge_of(parse_remote("https://unknown.example/a/b"), access)
    with pytest.raises(RemoteRefused, match="AGENTHUB_GIT_TOKENS"):
        forge_of(parse_remote("https://github.com/a/b"), GitAccess())


@pytest.mark.parametrize(
    "path",
    [
        *("mine/x/../../theirs/y.git", "mine/%2e%2e/theirs/y", "mine/%2E./theirs/y", "./mine/y", "mine/x.git/.."),
        *(
            "mine%2fx",
            "mine%2Fx/y",
            "mine\\..\\theirs",
            "mine%5c..%5ctheirs",
            "mine/%252e%252e/theirs",
            "a/\u202eb",
        ),
        *("mine/x%00y", "mine/x%0ay", "mine/\u200bx"),
    ],
)
@pytest.mark.parametrize("form", ["https://example.org/{}", "ssh://git@example.org/{}", "git@example.org:{}"])
def test_a_path_that_may_be_another_one_is_refused(form: str, path: str) -> None:
    """By its path the secret of a webhook covers a repository, and the token of a host reaches an API."""
    with pytest.raises(RemoteRefused, match=r"may mean another one|space or a line break"):
        parse_remote(form.format(path))
