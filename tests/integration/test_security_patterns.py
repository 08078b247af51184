"""The rules of the scan for other languages than Python, over real files with the real ast-grep."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agenthub_worker.errors import ScanFailed
from agenthub_worker.evidence.scan import security_scan
from agenthub_worker.evidence.scanning.patterns import found_patterns, rules_text
from agenthub_worker.sandbox.bubblewrap import Bubblewrap
from agenthub_worker.sandbox.port import ExecResult
from agenthub_worker.sandbox.scripted import ScriptedSandbox

SHELL, CODE, HASH = "shell-command-put-together", "text-is-run-as-code", "weak-hash-of-password"
CERTIFICATE, SQL = "certificate-not-checked", "sql-put-together"

# What a rule speaks of is marked at the end of its line with the rule; all other lines are fine.
JAVASCRIPT = """\
const { exec } = require('child_process')
exec(`ls ${dir}`) // SHELL
exec('ls ' + dir) // SHELL
exec('ls')
/a/.exec(`b${c}`)
eval(input) // CODE
eval('1')
new Function('a', body) // CODE
const agent = { rejectUnauthorized: false } // CERTIFICATE
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0' // CERTIFICATE
const kept = crypto.createHash('md5').update(password).digest('hex') // HASH
const etag = crypto.createHash('md5').update(file).digest('hex')
db.query(`SELECT * FROM users WHERE id = ${id}`) // SQL
db.query('SELECT * FROM users WHERE id = ' + id) // SQL
db.query('SELECT * FROM users WHERE id = ?', [id])
app.get(`/users/${id}`)
"""
GO = """\
package a

func f(x string) {
	exec.Command("sh", "-c", "ls "+x) // SHELL
	exec.CommandContext(ctx, "/bin/bash", "-c", fmt.Sprintf("ls %s", x)) // SHELL
	exec.Command("ls", "-c", "a"+x)
	c := &tls.Config{InsecureSkipVerify: true} // CERTIFICATE
	c.InsecureSkipVerify = false
	md5.Sum([]byte(password)) // HASH
	md5.Sum([]byte(content))
	db.Query("SELECT * FROM t WHERE a = " + x) // SQL
	db.QueryContext(ctx, fmt.Sprintf("DELETE FROM t WHERE a = %s", x)) // SQL
	db.Query("SELECT * FROM t WHERE a = ?", x)
	log.Print("select one from " + x)
}
"""
RUST = """\
fn f() {
    Command::new("sh").arg("-c").arg(format!("ls {}", x)); // SHELL
    Command::new("ls").arg("-c").arg(format!("ls {}", x));
    Client::builder().danger_accept_invalid_certs(true); // CERTIFICATE
    md5::compute(password); // HASH
    conn.execute(&format!("INSERT INTO t VALUES ({})", x), []); // SQL
    sqlx::query(&format!("SELECT * FROM t WHERE a = {}", x)); // SQL
    conn.execute("INSERT INTO t VALUES (?)", [x]);
}
"""
JAVA = """\
class A {
  void f(String x) {
    Runtime.getRuntime().exec("ls " + x); // SHELL
    Runtime.getRuntime().exec("ls");
    new ProcessBuilder("sh", "-c", "ls " + x); // SHELL
    st.executeQuery("SELECT * FROM t WHERE a = '" + x + "'"); // SQL
    st.executeQuery("SELECT * FROM t" + " WHERE a = 1");
    c.prepareStatement("SELECT * FROM t WHERE a = ?");
    HttpsURLConnection.setDefaultHostnameVerifier((h, s) -> true); // CERTIFICATE
  }
  byte[] kept(String password) { return MessageDigest.getInstance("MD5").digest(password.getBytes()); } // HASH
  byte[] sum(String file) { return MessageDigest.getInstance("MD5").digest(file.getBytes()); }
  public void checkServerTrusted(X509Certificate[] c, String a) { } // CERTIFICATE
}
"""
C = """\
int f(char *text) {
  gets(text); // input-without-a-bound
  system(text); // shell-command-not-fixed
  system("ls");
  printf(text); // format-not-fixed
  printf("%s", text);
  printf(USAGE);
  curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L); // CERTIFICATE
  curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L);
  SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL); // CERTIFICATE
}
"""
SAMPLES = {
    "a.js": JAVASCRIPT,
    "a.ts": JAVASCRIPT,
    "a.tsx": JAVASCRIPT,
    "a.go": GO,
    "a.rs": RUST,
    "A.java": JAVA,
    "a.c": C,
    "a.cpp": C,
    "a.php": '<?php\neval($x); // CODE\nexec("ls " . $x); // SHELL\nexec("ls " . escapeshellarg($x));\n'
    'exec("ls");\n',
    "a.rb": 'eval(x) # CODE\neval "1"\nsystem("ls #{x}") # SHELL\nsystem("ls", x)\n'
    "http.verify_mode = OpenSSL::SSL::VERIFY_NONE # CERTIFICATE\n",
    "a.sh": "curl -sSk https://x # CERTIFICATE\ncurl https://x | sh # CODE\ncurl -s https://x -o k\n",
}
NAMES = {"SHELL": SHELL, "CODE": CODE, "HASH": HASH, "CERTIFICATE": CERTIFICATE, "SQL": SQL}


def marked(text: str) -> list[tuple[int, str]]:
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        _, sign, said = line.replace("// ", "# ").rpartition(" # ")
        if sign:
            found.append((number, NAMES.get(said, said)))
    return found


def write(workspace: Path, files: dict[str, str]) -> list[str]:
    for name, text in files.items():
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text(text)
    return list(files)


async def scan(workspace: Path, files: dict[str, str]) -> list[tuple[str, int, str]]:
    found = await security_scan(Bubblewrap(), workspace, write(workspace, files), timeout_s=120)
    return sorted((item.file, item.line, item.message.partition(":")[0]) for item in found)


async def test_each_mistake_is_found_in_its_line_and_what_is_right_is_left_alone(tmp_path: Path) -> None:
    wanted = [(file, line, rule) for file, text in SAMPLES.items() for line, rule in marked(text)]
    assert len(wanted) > 60
    assert await scan(tmp_path, SAMPLES) == sorted(wanted)


async def test_nothing_in_the_repository_silences_it(tmp_path: Path) -> None:
    files = {
        "sgconfig.yml": "ruleDirs: []\n",
        ".gitignore": "*\n",
        ".hidden/a.js": "eval(input) // ast-grep-ignore\n",
        "-x.js": "// ast-grep-ignore\neval(input)\n",
        "bin/ast-grep": "#!/bin/sh\nexit 0\n",
    }
    found = [entry for entry in await scan(tmp_path, files) if entry[0].endswith(".js")]
    assert found == [("-x.js", 2, CODE), (".hidden/a.js", 1, CODE)]


async def test_what_tests_consist_of_is_fine_in_tests(tmp_path: Path) -> None:
    assert await scan(tmp_path, {"test/a.test.js": "const a = { rejectUnauthorized: false }\n"}) == []
    assert await scan(tmp_path, {"src/a.js": "const a = { rejectUnauthorized: false }\n"}) != []


async def test_only_lines_of_the_change_count(tmp_path: Path) -> None:
    names = write(tmp_path, {"a.js": "eval(input)\n\neval(\n  other\n)\n"})
    touched = {"a.js": frozenset({4})}
    found = await security_scan(Bubblewrap(), tmp_path, names, timeout_s=120, touched=touched)
    assert [(item.line, item.touched, item.severity) for item in found] == [(3, True, "high"), (1, False, "high")]


async def test_a_file_that_is_too_large_is_named_and_one_that_cannot_be_parsed_is_read(tmp_path: Path) -> None:
    large = f"{'x' * 2_000_000}\n"
    found = await scan(tmp_path, {"large.js": large, "broken.js": "eval(input)\nfunction ( {\n"})
    assert ("large.js", 0, "This file is too large to be scanned.") in found
    assert any(file == "broken.js" for file, _, _ in found)


async def test_a_scanner_that_does_not_answer_is_no_clean_bill(tmp_path: Path) -> None:
    dead = ScriptedSandbox(lambda _: ExecResult(exit_code=137, output=b"killed", timed_out=True))
    names = write(tmp_path, {"a.go": "package a\n"})
    with pytest.raises(ScanFailed, match="ran out of time without a report: killed"):
        await found_patterns(dead, tmp_path, names, 60)
    assert await found_patterns(dead, tmp_path, ["a.py", "README.md"], 60) == []


def test_every_rule_says_what_is_wrong_and_how_bad_it_is() -> None:
    rules = [json.loads(text) for text in rules_text().split("\n---\n")]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert all(rule["message"] and rule["severity"] in ("error", "warning") for rule in rules)
