"""The hub's own git at an address: what a name stands for there, fetching it, and pushing a branch."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from agenthub_runtime.remotes.address import Remote, check_ref, is_commit, looks_like_short_commit
from agenthub_runtime.remotes.credentials import GitAccess
from agenthub_runtime.remotes.errors import RemoteRefused, RemoteUnavailable
from agenthub_runtime.repository.git import Git, GitOutput, checked, receive_pack, upload_pack
from agenthub_runtime.repository.sources.fetching import OVER_LIMIT, TREE_BYTES, fetch_bounded

ASK_WITHIN_S = 30.0
FETCH_WITHIN_S = 850.0
_HEADS, _TAGS = "refs/heads/", "refs/tags/"
_SAID = 500
_ANY_CODE = range(256)
_ASKS = re.compile(
    r"could not read (Username|Password)|terminal prompts disabled|Authentication failed|error: 40[13]"
)
_SSH_NO = re.compile(r"Permission denied|Too many authentication failures|no such identity|Load key")
_ABSENT = re.compile(
    r"repository '.*' not found|does not appear to be a git repository|error: 404|[Nn]ot ?[Ff]ound"
)
_GONE = re.compile(r"not our ref|: \[404\] |couldn't find remote ref|unadvertised object|no such remote ref")
_SHOWN_URL = re.compile(r"://[^/@\s]*@")


class Resolved(msgspec.Struct, frozen=True):
    """What a name stood for when it was asked. `ref` is its full name, empty where its id was given."""

    commit: str
    ref: str


class RemoteGit:
    """git on one remote, with what is set for its host."""

    def __init__(self, remote: Remote, access: GitAccess) -> None:
        self.remote = remote
        self._access = access
        here = Path(remote.url) if remote.scheme == "file" else None
        self._reader = [f"--upload-pack={upload_pack(here)}"] if here else []
        self._writer = [f"--receive-pack={receive_pack(here)}"] if here else []

    async def resolve(self, ref: str = "") -> Resolved:
        """The commit that `ref` (a branch, a tag, a full commit id; empty: HEAD) names there now.

        Raises `RemoteRefused` or `RemoteUnavailable`.
        """
        with tempfile.TemporaryDirectory(prefix="agenthub-remote-") as folder:
            git = Git(Path(folder))
            if ref and is_commit(ref):
                return await self._look_for_commit(git, ref)
            names = _candidates(check_ref(ref)) if ref else ["HEAD"]
            found, default = await self._listed(git, *names)
            if not found and looks_like_short_commit(ref):
                return Resolved(await self._in_full(git, ref), "")
            if not found:
                raise RemoteRefused(await self._no_such_ref(git, ref))
            if len(found) > 1:
                raise RemoteRefused(
                    f"{self.remote} has a branch and a tag that are called `{ref}`: say {' or '.join(found)}."
                )
            name, commit = next(iter(found.items()))
            return Resolved(commit, default or name if name == "HEAD" else name)

    async def refs(self, git: Git, *names: str) -> dict[str, str]:
        """What the full names stand for there now, tags peeled; names that do not exist are left out."""
        return (await self._listed(git, *names))[0]

    async def _listed(self, git: Git, *names: str) -> tuple[dict[str, str], str]:
        peeled = [f"{name}^{{}}" for name in names if name.startswith(_TAGS)]
        output = await self._ask(
            git, "ls-remote", "--symref", *self._reader, "--", self.remote.url, *names, *peeled
        )
        found: dict[str, str] = {}
        default = ""
        for line in output.text.splitlines():
            value, _, name = line.partition("\t")
            if value.startswith("ref: ") and name == "HEAD":
                default = value.removeprefix("ref: ")
            elif name.endswith("^{}"):
                found[name[:-3]] = value
            else:
                found.setdefault(name, value)
        return {name: found[name] for name in names if name in found}, default

    async def fetch(self, git: Git, wanted: Resolved) -> None:
        """Bring `wanted.commit` with its newest history, and the tags in it, into the repository of `git`.

        Raises as `resolve` does.
        """
        if wanted.ref:
            await self._fetch(git, wanted.ref)
        if not await _has(git, wanted.commit):
            # Its branch was moved to another history meanwhile, or its id alone was given.
            await self._fetch(git, checked(wanted.commit))
        if not await _has(git, wanted.commit):
            raise RemoteRefused(f"{self.remote} did not send the commit {wanted.commit}.")

    async def fetch_tree(self, git: Git, commit: str, *options: str) -> None:
        """Bring a commit alone, without its history, into the repository of `git`. Raises as `resolve` does."""
        await self._fetch(git, checked(commit), "--no-tags", "--depth=1", *options, whole=True)

    async def fetch_blobs(self, git: Git, commit: str, names: Sequence[str]) -> None:
        """Bring the content of files at the top of a commit whose trees alone are here."""
        listed = await git.run("ls-tree", "-z", checked(commit), *names)
        for line in listed.fields():
            blob = line.split("\t")[0].split()[2]
            if (await git.run("cat-file", "-e", blob, codes=(0, 1, 128))).code:
                fetch = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", *self._reader)
                await self._ask(git, *fetch, "--", self.remote.url, f"+{blob}:refs/import/{blob}")

    async def lfs(self, git: Git, folder: Path, endpoint: str, command: str, *arguments: str) -> None:
        """Let `git lfs` fetch or push for the repository of `git`, with its files in `folder`.

        `endpoint` is the address of its API, empty for the usual one. Raises as `resolve` does.
        """
        chosen = ["-c", f"lfs.storage={folder}", "-c", "lfs.locksverify=false", "-c", "lfs.activitytimeout=60"]
        chosen += ["-c", f"lfs.url={endpoint}"] if endpoint else []
        output = await self._run(
            git, FETCH_WITHIN_S, *chosen, "lfs", command, *self._lfs_words(arguments), literal_paths=False
        )
        if output.code:
            raise self._fault(output)

    def _lfs_words(self, arguments: Sequence[str]) -> list[str]:
        options = [word for word in arguments if word.startswith("--")]
        return [*options, self.remote.url, *(word for word in arguments if word not in options)]

    async def fetch_ref(self, git: Git, name: str) -> str:
        """Bring what a full name stands for now into the repository of `git`, and return its commit."""
        await self._fetch(git, name, whole=True)
        return (await git.run("rev-parse", "--verify", "refs/import/head^{commit}")).word

    async def push(self, git: Git, commit: str, branch: str, *, over: str) -> None:
        """Put `branch` there from `over` (empty: it does not exist yet) to `commit`; nothing in between is lost.

        Raises `RemoteRefused` when somebody else has moved it, or the host does not take it.
        """
        name = f"{_HEADS}{branch}"
        output = await self._run(
            git,
            FETCH_WITHIN_S,
            *("push", "--quiet", "--porcelain", "--no-verify", f"--force-with-lease={name}:{over}"),
            *(*self._writer, "--", self.remote.url, f"{checked(commit)}:{name}"),
        )
        if output.code == 0:
            return
        said = self._shown(output)
        if "[rejected]" in output.text or "[remote rejected]" in output.text:
            raise RemoteRefused(f"{self.remote} did not take the branch `{branch}`: {said}")
        raise self._fault(output)

    async def _fetch(self, git: Git, what: str, *options: str, whole: bool = False) -> None:
        async def fetch(chosen: Sequence[str], limit: int) -> bool:
            output = await self._run(
                git,
                FETCH_WITHIN_S,
                *("fetch", "--quiet", "--no-write-fetch-head", "--update-shallow", *self._reader),
                *(*options, *chosen, "--", self.remote.url, f"+{what}:refs/import/head"),
                file_bytes=limit,
            )
            if output.code and OVER_LIMIT not in output.stderr:
                raise self._fault(output)
            return not output.code

        if not whole:
            await fetch_bounded(git, fetch)
        elif not await fetch((), TREE_BYTES):
            raise RemoteRefused(f"What {self.remote} sends is more than {TREE_BYTES >> 30} GiB.")

    async def _look_for_commit(self, git: Git, commit: str) -> Resolved:
        await git.run("init", "--quiet", "--bare", "--object-format=sha1", "--template=")
        await self._ask(
            git,
            *("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--depth=1", "--filter=tree:0"),
            *(*self._reader, "--", self.remote.url, f"+{commit}:refs/import/head"),
        )
        return Resolved(commit, "")

    async def _in_full(self, git: Git, short: str) -> str:
        """The commit whose id begins so: in a folder any one, at an address one that a name stands for."""
        if self.remote.scheme == "file":
            place = (
                await git.run("rev-parse", "--resolve-git-dir", f"{self.remote.url}/.git", codes=_ANY_CODE)
            ).word
            own = Git(Path(place or self.remote.url))
            found = await own.run("rev-parse", "--verify", "--quiet", f"{short}^{{commit}}", codes=_ANY_CODE)
            commits = {found.word} - {""}
        else:
            output = await self._ask(git, "ls-remote", "--heads", "--tags", *self._reader, "--", self.remote.url)
            ids = (line.partition("\t")[0] for line in output.text.splitlines())
            commits = {commit for commit in ids if commit.startswith(short)}
        if len(commits) != 1:
            raise RemoteRefused(await self._no_such_ref(git, short))
        return commits.pop()

    async def _no_such_ref(self, git: Git, ref: str) -> str:
        if not ref:
            return f"{self.remote} has no commit yet: push one to it first."
        if looks_like_short_commit(ref):
            return f"{self.remote} has no branch and no tag `{ref}`: give a commit by all its 40 digits."
        return f"{self.remote} has no branch and no tag `{ref}`: `git ls-remote {self.remote}` shows what it has."

    async def _ask(self, git: Git, *arguments: str) -> GitOutput:
        output = await self._run(git, ASK_WITHIN_S, *arguments)
        if output.code:
            raise self._fault(output)
        return output

    async def _run(
        self,
        git: Git,
        within_s: float,
        *arguments: str,
        file_bytes: int | None = None,
        literal_paths: bool = True,
    ) -> GitOutput:
        reaching = git.with_environment(**self._access.environment(self.remote))
        try:
            async with asyncio.timeout(within_s):
                return await reaching.run(
                    *self._access.options(self.remote),
                    *arguments,
                    codes=_ANY_CODE,
                    file_bytes=file_bytes,
                    literal_paths=literal_paths,
                )
        except TimeoutError:
            raise RemoteUnavailable(
                f"{self.remote} did not answer within {within_s:g} s: check that the hub's machine reaches it."
            ) from None

    def _fault(self, output: GitOutput) -> RemoteRefused | RemoteUnavailable:
        said, remote, host = self._shown(output), self.remote, self.remote.host
        if "Host key verification failed" in said:
            return RemoteRefused(
                f"The host key of {host} is not known to the account that runs the hub: add it to its known_hosts"
                f" (`ssh-keyscan {host}`, after you have compared it)."
            )
        if remote.scheme == "ssh" and _SSH_NO.search(said):
            return RemoteRefused(
                f"{host} does not take the ssh key that is set for it in AGENTHUB_GIT_SSH_KEYS: {said}"
            )
        if _ASKS.search(said):
            return RemoteRefused(self._no_credential())
        if _GONE.search(said):
            return RemoteRefused(f"{remote} does not have, or does not give out, what was asked for: {said}")
        if _ABSENT.search(said):
            hint = (
                ""
                if self._access.has_credential(remote)
                else " (a private one needs a token: AGENTHUB_GIT_TOKENS)"
            )
            return RemoteRefused(f"There is no repository at {remote} that the hub may read{hint}: {said}")
        return RemoteUnavailable(f"{remote} could not be reached: {said}")

    def _no_credential(self) -> str:
        host = self.remote.host
        if self._access.has_credential(self.remote):
            return (
                f"{host} refuses the token that AGENTHUB_GIT_TOKENS sets for it, for {self.remote}: check that"
                " it is valid and may read (and for a delivery write) this repository."
            )
        return f"{self.remote} asks for a credential: set AGENTHUB_GIT_TOKENS to `{host}=<token>` for the hub."

    def _shown(self, output: GitOutput) -> str:
        said = (output.stderr.strip() or output.text.strip())[-_SAID:]
        return _SHOWN_URL.sub("://", said) or f"git ended with {output.code}"


def _candidates(ref: str) -> list[str]:
    if ref == "HEAD" or ref.startswith((_HEADS, _TAGS)):
        return [ref]
    return [f"{_HEADS}{ref}", f"{_TAGS}{ref}"]


async def _has(git: Git, commit: str) -> bool:
    return (await git.run("cat-file", "-e", f"{checked(commit)}^{{commit}}", codes=(0, 1, 128))).code == 0
