"""The security scan over real files with the real bandit."""

from __future__ import annotations

from pathlib import Path

import pytest

from agenthub_worker.errors import ScanFailed
from agenthub_worker.evidence.scan import security_scan
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.sandbox.port import ExecResult
from agenthub_worker.sandbox.scripted import ScriptedSandbox
from tests.support.secret_samples import SECRETS


def write(workspace: Path, files: dict[str, str]) -> list[str]:
    for name, text in files.items():
        path = workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return list(files)


async def scan(workspace: Path, files: dict[str, str]) -> list[tuple[str, int, str, str]]:
    found = await security_scan(Bubblewrap(), workspace, write(workspace, files), timeout_s=300)
    return [(item.file, item.line, item.severity, item.message.split(" ")[0]) for item in found]


async def test_insecure_code_is_found_with_file_and_line(tmp_path: Path) -> None:
    found = await scan(
        tmp_path,
        {
            "a.py": "import subprocess\n\n\ndef f(x):\n    subprocess.call(x, shell=True)\n",
            "b.py": "def add(a, b):\n    return a + b\n",
        },
    )
    assert found[0] == ("a.py", 5, "high", "B602")
    assert {file for file, *_ in found} == {"a.py"}


async def test_comments_do_not_silence_it(tmp_path: Path) -> None:
    found = await scan(tmp_path, {"a.py": "import pickle\nx = pickle.loads(b'')  # nosec\n"})
    assert ("a.py", 2, "medium", "B301") in found


async def test_settings_and_modules_of_the_repository_do_not_disarm_it(tmp_path: Path) -> None:
    found = await scan(
        tmp_path,
        {
            ".bandit": "[bandit]\nskips = B301\n",
            "pyproject.toml": "[tool.bandit]\nskips = ['B301']\n",
            "bandit/__init__.py": "raise SystemExit(0)\n",
            "yaml.py": "raise SystemExit(0)\n",
            "a.py": "import pickle\nx = pickle.loads(b'')\n",
        },
    )
    assert ("a.py", 2, "medium", "B301") in found


async def test_asserts_and_made_up_passwords_in_tests_are_fine(tmp_path: Path) -> None:
    text = "password = 'hunter2'\n\n\ndef test_a():\n    assert password\n"
    assert await scan(tmp_path, {"tests/test_a.py": text}) == []
    found = await security_scan(Bubblewrap(), tmp_path, write(tmp_path, {"a.py": text}), timeout_s=300)
    assert {item.message.split()[0] for item in found} == {"B101", "B105"}
    assert all("hunter2" not in item.message for item in found)


async def test_a_file_that_cannot_be_parsed_is_a_finding(tmp_path: Path) -> None:
    found = await security_scan(Bubblewrap(), tmp_path, write(tmp_path, {"a.py": "def f(:\n"}), timeout_s=300)
    assert [(item.file, item.severity) for item in found] == [("a.py", "medium")]
    assert "cannot be scanned" in found[0].message


async def test_credentials_are_found_in_any_text_and_never_repeated(tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2" * 9
    found = await security_scan(
        Bubblewrap(),
        tmp_path,
        write(
            tmp_path, {"config.yml": f"x: 1\ntoken: {secret}\n", "key.txt": "-----BEGIN RSA PRIVATE KEY-----\n"}
        ),
        timeout_s=300,
    )
    assert [(item.file, item.line, item.severity) for item in found] == [
        ("config.yml", 2, "high"),
        ("key.txt", 1, "high"),
    ]
    assert all(secret not in item.message for item in found)


async def test_what_may_be_an_example_weighs_little(tmp_path: Path) -> None:
    found = await scan(
        tmp_path,
        {"README.md": "postgres://user:password@localhost/db\n-H 'Authorization: Bearer your-token-goes-here'\n"},
    )
    assert [severity for _, _, severity, _ in found] == ["low", "low"]


async def test_links_missing_files_and_binaries_are_skipped(tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    secret = "token = 'ghp_" + "a1B2" * 9 + "'\n"
    (tmp_path / "outside.py").write_text(secret)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "x.py").write_text(secret)
    (workspace / "link.py").symlink_to(tmp_path / "outside.py")
    (workspace / "d").symlink_to(tmp_path / "folder")
    (workspace / "binary").write_bytes(b"\0" + secret.encode())
    names = ["link.py", "d/x.py", "binary", "gone.py", "../outside.py"]
    assert await security_scan(Bubblewrap(), workspace, names, timeout_s=300) == []


async def test_a_name_is_never_an_option(tmp_path: Path) -> None:
    found = await scan(tmp_path, {"--exit-zero.py": "import pickle\nx = pickle.loads(b'')\n"})
    assert ("--exit-zero.py", 2, "medium", "B301") in found


async def test_a_scanner_that_does_not_answer_is_no_clean_bill(tmp_path: Path) -> None:
    dead = ScriptedSandbox(lambda _: ExecResult(exit_code=137, output=b"killed", timed_out=True))
    with pytest.raises(ScanFailed, match="ran out of time without a report: killed"):
        await security_scan(dead, tmp_path, write(tmp_path, {"a.py": "x = 1\n"}), timeout_s=1)


@pytest.mark.parametrize("name", ["openai project", "google key", "npm", "slack bot", "hugging face", "vault"])
async def test_a_shape_in_code_is_a_finding_that_names_its_kind(tmp_path: Path, name: str) -> None:
    secret = SECRETS[name]
    found = await security_scan(
        Bubblewrap(), tmp_path, write(tmp_path, {"client.js": f"// it\nconst key = '{secret}';\n"}), timeout_s=300
    )
    assert [(item.file, item.line, item.severity) for item in found] == [("client.js", 2, "high")]
    assert secret not in found[0].message


async def test_what_reads_its_credentials_from_elsewhere_is_clean(tmp_path: Path) -> None:
    text = 'url = f"redis://:{password}@cache"\nheaders = {"Authorization": f"Bearer {token}"}\n'
    other = "URL: postgres://${USER}:${PASSWORD}@db/x\n"
    assert await scan(tmp_path, {"client.js": text, "compose.yaml": other}) == []
