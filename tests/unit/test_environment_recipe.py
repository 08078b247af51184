"""What the files of a repository say of its setup."""

from __future__ import annotations

import msgspec
import pytest

from agenthub_worker.environment.java.maven import MAVEN, MAVEN_BROUGHT, MAVEN_BUILD
from agenthub_worker.environment.network.package_sources import package_sources
from agenthub_worker.environment.node.ranges import in_range
from agenthub_worker.environment.place import PLACE
from agenthub_worker.environment.python.poetry import bounds
from agenthub_worker.environment.recipe import (
    CARGO_BUILD,
    GO_BUILD,
    GO_DOWNLOAD,
    NOTHING_GIVEN,
    GivenSetup,
    Recipe,
    folders_in,
    is_input,
    key_of,
    recipe_of,
)
from agenthub_worker.environment.requirements import all_at_hand
from agenthub_worker.errors import SetupInvalid

PIP = f"{PLACE}/python/bin/python -m pip install"
NPM_INSTALL = "npm install --no-audit --no-fund --no-package-lock"
AT_HAND = {"pytest": "9.2.1", "pytest-cov": "7.1.0", "coverage": "7.11"}


def from_files(files: dict[str, str]) -> Recipe:
    assert all(map(is_input, files)), files
    return recipe_of({path: text.encode() for path, text in files.items()}, NOTHING_GIVEN, AT_HAND)


@pytest.mark.parametrize(
    ("files", "language", "commands"),
    [
        ({"requirements.txt": "flask\n"}, "python", [f"{PIP} -r requirements.txt"]),
        (
            {"requirements.txt": "flask\n", "requirements-dev.txt": "responses\n", "dev-requirements.txt": "x\n"},
            "python",
            [f"{PIP} -r {path}" for path in ("dev-requirements.txt", "requirements-dev.txt", "requirements.txt")],
        ),
        ({"requirements/test.txt": "-r base.txt\n"}, "python", [f"{PIP} -r requirements/test.txt"]),
        (
            {
                "pyproject.toml": '[project]\nname="a"\ndependencies=["flask"]\n'
                '[project.optional-dependencies]\ntest=["x"]\ndocs=["y"]\n'
            },
            "python",
            [f"{PIP} -e '.[test]'"],
        ),
        (
            {"pyproject.toml": '[project]\nname="a"\n[dependency-groups]\ndev=["x"]\ndocs=["y"]\n'},
            "python",
            [f"{PIP} -e . x"],
        ),
        ({"setup.py": "setup(install_requires=['flask'])\n"}, "python", [f"{PIP} -e ."]),
        ({"setup.cfg": "[options]\ninstall_requires =\n  flask\n"}, "python", [f"{PIP} -e ."]),
        (
            {"pyproject.toml": '[build-system]\n[tool.poetry.dependencies]\npython="^3.11"\nflask="*"\n'},
            "python",
            [f"{PIP} -e ."],
        ),
        ({"pyproject.toml": '[project]\nname="a"\ndynamic=["dependencies"]\n'}, "python", [f"{PIP} -e ."]),
        ({"package-lock.json": "{}", "package.json": "{}"}, "node", ["npm ci --no-audit --no-fund"]),
        (
            {"go.mod": "module a\n\nrequire b v1\n", "go.sum": "b v1 h1:x\n"},
            "go",
            [GO_DOWNLOAD, GO_BUILD],
        ),
        (
            {"Cargo.lock": '[[package]]\nname="a"\nsource="registry"\n'},
            "rust",
            ["cargo fetch --locked", CARGO_BUILD],
        ),
        ({"Cargo.toml": "[package]\n"}, "rust", ["cargo fetch"]),
        ({"package.json": '{"devDependencies": {"x": "1"}}'}, "node", [NPM_INSTALL]),
        (
            {"pom.xml": "<dependencies/>"},
            "java",
            [
                MAVEN_BROUGHT,
                f"{MAVEN} dependency:go-offline || {MAVEN} test-compile",
                MAVEN_BUILD,
            ],
        ),
    ],
)
def test_the_files_of_each_package_manager_become_its_commands(
    files: dict[str, str], language: str, commands: list[str]
) -> None:
    recipe = from_files(files)
    assert recipe.languages == {language}
    assert list(recipe.commands) == commands


def test_a_lock_of_uv_is_synced_and_comes_before_other_python_files() -> None:
    recipe = from_files({"uv.lock": "", "requirements.txt": "flask\n"})
    assert recipe.source == "requirements.txt, uv.lock"
    assert len(recipe.commands) == 2
    assert "uv sync --frozen" in recipe.commands[1]


def test_one_lock_counts_for_each_language_and_languages_add_up() -> None:
    recipe = from_files({"package-lock.json": "", "yarn.lock": "", "requirements.txt": "flask\n"})
    assert recipe.languages == {"python", "node"}
    assert len(recipe.commands) == 2


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"pyproject.toml": "[tool.pytest.ini_options]\n"},
        {"pyproject.toml": '[project]\nname="a"\ndependencies=[]\n'},
        {"pyproject.toml": '[project]\nname="a"\n[project.optional-dependencies]\ntest=["pytest"]\nall=["x"]'},
        {"setup.py": "from setuptools import setup\nsetup(name='a')\n"},
        {"requirements.txt": "# nothing\n\n"},
        {"requirements-dev.txt": "pytest>=8,<10\nPyTest_Cov # as in CI\n"},
        {"package.json": '{"dependencies": {}}'},
        {".python-version": "3.12\n"},
    ],
)
def test_what_asks_for_nothing_beyond_the_test_runner_needs_no_setup(files: dict[str, str]) -> None:
    assert from_files(files).empty


@pytest.mark.parametrize(
    ("need", "there"),
    [
        ("pytest", True),
        ("pytest ; python_version > '3'", True),
        ("pytest>=9.2", True),
        ("pytest (>=8)", True),
        ("pytest>=9.3", False),
        ("pytest<9", False),
        ("pytest==9.2.1", False),
        ("pytest~=9.0", False),
        ("pytest!=9.2.1", False),
        ("pytest[extra]", False),
        ("pytest @ git+https://example.org/x", False),
        ("pytest-mock", False),
        ("-r other.txt", False),
        ("--hash=sha256:0", False),
        ("https://example.org/pytest.whl", False),
    ],
)
def test_only_an_unpinned_need_counts_as_there(need: str, there: bool) -> None:
    assert all_at_hand([need], AT_HAND) is there


def test_the_goal_comes_before_the_repository_and_that_before_its_files() -> None:
    files = {"requirements.txt": b"flask\n"}
    config = b'setup = ["make deps"]\n'
    assert recipe_of(files).source == "requirements.txt"
    by_config = recipe_of(files, GivenSetup(config=config))
    assert (by_config.commands, by_config.source) == (("make deps",), ".agenthub/config.toml")
    by_goal = recipe_of(files, GivenSetup(commands=("make mine",), config=config))
    assert (by_goal.commands, by_goal.source) == (("make mine",), "the goal's `setup`")
    assert by_goal.languages == {"python"}
    assert recipe_of(files, GivenSetup(config=b"[tests]\n")).source == "requirements.txt"
    assert recipe_of(files, GivenSetup(config=b"setup = []\n")).empty


@pytest.mark.parametrize(
    "config", [b"setup = [", b'setup = "make"', b"setup = [1]", b'setup = [" "]', b"setup = [%s]" % (b'"x",' * 21)]
)
def test_settings_that_cannot_be_used_are_named(config: bytes) -> None:
    with pytest.raises(SetupInvalid, match=r"\.agenthub/config\.toml"):
        recipe_of({}, GivenSetup(config=config))


def test_versions_are_read_where_they_are_named() -> None:
    recipe = from_files(
        {
            ".python-version": "# ours\n3.12.1\n",
            ".nvmrc": "v20\n",
            "go.mod": "module a\n\ngo 1.22.3\n\nrequire b v1\n",
            "requirements.txt": "flask\n",
        }
    )
    assert recipe.versions == {"python": "3.12.1", "node": "v20", "go": "1.22.3"}


def test_the_same_inputs_make_the_same_key_and_any_other_make_another() -> None:
    files = {"requirements.txt": b"flask\n", "package.json": b"{}"}
    recipe = recipe_of(files)
    key = key_of(recipe, files, ["python 3.11"])
    assert key == key_of(recipe, dict(reversed(files.items())), ["python 3.11"])
    others = [
        key_of(recipe, files, ["python 3.12"]),
        key_of(recipe, {**files, "requirements.txt": b"flask \n"}, ["python 3.11"]),
        key_of(recipe, {"requirements.tx": b"tflask\n", "package.json": b"{}"}, ["python 3.11"]),
        key_of(recipe_of(files, GivenSetup(commands=("make",))), files, ["python 3.11"]),
    ]
    assert len({key, *others}) == 5


@pytest.mark.parametrize(
    ("address", "named", "secure"),
    [
        ("https://Index.example.org/simple", "index.example.org:443", True),
        ("http://index.example.org:8080/x", "index.example.org:8080", False),
        ("sparse+https://crates.example.org/", "crates.example.org:443", True),
        ("packages.example.org", "packages.example.org:443", False),
        ("packages.example.org:8443", "packages.example.org:8443", False),
        ("localhost:3000", "localhost:3000", False),
    ],
)
def test_an_address_names_a_source(address: str, named: str, secure: bool) -> None:
    (source,) = package_sources([address])
    assert (source.named, source.secure, source.authorization) == (named, secure, "")


@pytest.mark.parametrize("word", ["direct", "off", "", "ftp://example.org/x", "https://", "file:///srv", "a:b:c"])
def test_a_word_that_is_no_address_names_none(word: str) -> None:
    assert package_sources([word]) == ()


def test_credentials_are_kept_whichever_address_comes_first() -> None:
    plain, full = "https://index.example.org/a", "https://ada:p%40ss@index.example.org/b"
    for order in ([plain, full], [full, plain]):
        (source,) = package_sources(order)
        assert source.authorization == "Basic YWRhOnBAc3M="


def everywhere(files: dict[str, str]) -> Recipe:
    found = {path: text.encode() for path, text in files.items()}
    return recipe_of(found, GivenSetup(folders=folders_in(found)), AT_HAND)


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        (
            {"services/api/requirements.txt": "flask\n", "web/package-lock.json": "{}", "web/package.json": "{}"},
            [
                "cd web && { npm ci --no-audit --no-fund; }",
                f"cd services/api && {{ {PIP} -r requirements.txt; }}",
            ],
        ),
        (
            {"requirements-dev.txt": "ruff\n", "it's a/requirements/test.txt": "x\n"},
            [f"{PIP} -r requirements-dev.txt", f"cd 'it'\"'\"'s a' && {{ {PIP} -r requirements/test.txt; }}"],
        ),
        ({"pom.xml": "", "core/pom.xml": "", "go.mod": "", "tools/go.mod": ""}, None),
        ({"package-lock.json": "{}", "packages/a/package-lock.json": "{}"}, ["npm ci --no-audit --no-fund"]),
        ({"pyproject.toml": '[project]\nname="a"\n', "plugins/x/pyproject.toml": '[project]\nname="x"\n'}, []),
        ({"docs/requirements.txt": "x\n", "a/node_modules/b/package-lock.json": "{}", ".x/go.mod": ""}, []),
        ({"a/b/c/d/requirements.txt": "x\n"}, []),
        ({"_examples/rest/go.mod": "", "_tools/requirements.txt": "x\n"}, []),
    ],
    ids=[
        "two services",
        "a quote",
        "one speaks for all",
        "a workspace",
        "a project",
        "not its own",
        "too deep",
        "put aside",
    ],
)
def test_folders_below_the_top_say_what_they_need(files: dict[str, str], commands: list[str] | None) -> None:
    recipe = everywhere(files)
    if commands is None:
        assert recipe.commands[0] == GO_DOWNLOAD
        assert list(recipe.commands[-2:]) == [
            f"cd tools && {{ {command}; }}" for command in (GO_DOWNLOAD, GO_BUILD)
        ]
        assert recipe.source == "go.mod, pom.xml, tools/go.mod"
    else:
        assert list(recipe.commands) == commands


def test_of_many_folders_the_upper_ones_are_taken_and_locks_of_a_shared_python_keep_each_other() -> None:
    files = {f"s/{number:02}/requirements.txt": "x\n" for number in range(40)} | {"uv/uv.lock": ""}
    folders = folders_in(files)
    assert len(folders) == 20
    assert folders[0] == "uv"
    assert "--all-groups --inexact" in everywhere(files).commands[1]
    assert everywhere({"web/yarn.lock": ""}).modules == ("", "web")


def test_groups_are_spelled_out_with_those_that_they_include_for_a_pip_that_knows_none() -> None:
    groups = "[dependency-groups]\n"
    groups += (
        'test-base=["a>=1; python_version<\'4\'", {include-group="more"}]\nmore=["b", {include-group="dev"}]\n'
    )
    groups += 'dev=[{include-group="Test_Base"}, "a>=1; python_version<\'4\'"]\nround=[{include-group="round"}]\n'
    recipe = from_files({"pyproject.toml": groups})
    assert recipe.commands == (f"{PIP} 'a>=1; python_version<'\"'\"'4'\"'\"'' b",)


@pytest.mark.parametrize(
    ("groups", "commands"),
    [
        ('test=["My.Lib[socks, http2]", "x"]', (f"{PIP} -e '.[socks,http2]' x",)),
        ('test=["my-lib", "x"]', (f"{PIP} -e . x",)),
        ('dev=[{include-group="more"}]\nmore=["my_lib[socks]"]', (f"{PIP} -e '.[socks]'",)),
        ('test=["my-lib-extra[socks]"]', (f"{PIP} -e . 'my-lib-extra[socks]'",)),
        ('test=["my-lib[socks]>=2", "x"]', (f"{PIP} -e '.[socks]' x",)),
    ],
)
def test_a_group_that_names_the_project_itself_means_what_is_checked_out(
    groups: str, commands: tuple[str, ...]
) -> None:
    project = '[project]\nname="my-lib"\n[project.optional-dependencies]\nsocks=["s"]\nhttp2=["h"]\n'
    assert from_files({"pyproject.toml": f"{project}[dependency-groups]\n{groups}\n"}).commands == commands


def test_of_groups_that_exclude_each_other_uv_is_told_to_install_one() -> None:
    conflicts = (
        "[tool.uv]\ndefault-groups=['new']\nconflicts=["
        "[{group='old'},{group='older'}],[{extra='x'},{group='dev'}],[{group='old'},{extra='y'},{group='new'}]]\n"
    )
    sync = from_files({"uv.lock": "", "pyproject.toml": conflicts}).commands[1]
    assert sync.endswith("--all-groups --no-group older --no-extra x --no-group old --no-extra y")
    assert (
        from_files({"uv.lock": "", "pyproject.toml": "[tool.uv]\nconflicts='x'\n"}).commands[1].endswith("groups")
    )


INSTALLED = {
    "a version out of git": '[build-system]\nrequires=["setuptools-git-versioning>=2"]\n[project]\n',
    "programs": '[project]\nname="a"\n[project.scripts]\na="a:main"\n',
    "a plugin": '[project]\nname="a"\n[project.entry-points.pytest11]\na="a"\n',
    "programs of poetry's": '[build-system]\n[tool.poetry.scripts]\na="a:main"\n',
    "compiled code": '[build-system]\nrequires=["Cython>=3"]\n[project]\nname="a"\n',
    "code compiled by another language": '[build-system]\nbuild-backend="maturin"\n[project]\nname="a"\n',
}


@pytest.mark.parametrize("text", INSTALLED.values(), ids=list(INSTALLED))
def test_a_project_without_needs_is_installed_for_what_only_that_makes(text: str) -> None:
    assert from_files({"pyproject.toml": text}).commands == (f"{PIP} -e .",)


@pytest.mark.parametrize("text", ["setup(ext_modules=[x])", "setup(entry_points={})"])
def test_so_is_one_whose_setup_py_says_so(text: str) -> None:
    assert from_files({"setup.py": text}).commands == (f"{PIP} -e .",)
    assert from_files({"setup.py": "setup()"}).empty


NAMES_C = "setup(ext_modules=[Extension('a', ['tide/_a.c'])])"


@pytest.mark.parametrize(
    ("files", "named", "need"),
    [
        ({"setup.py": NAMES_C, "requirements.txt": "six\nCython==3.2.5  # ours\n"}, "tide/_a.c", "Cython==3.2.5"),
        (
            {"setup.py": NAMES_C, "pyproject.toml": "[build-system]\nrequires=['setuptools', 'cython >=3, <4']\n"},
            "tide/_a.c",
            "'cython >=3, <4'",
        ),
        (
            {
                "pyproject.toml": "[project]\nname='a'\n[dependency-groups]\ntest=['cython']\n"
                "[tool.setuptools]\next-modules=[{name='a', sources=['src/a.cpp', 'src/b.cc']}]\n"
            },
            "src/a.cpp src/b.cc",
            "cython",
        ),
        (
            {"setup.py": NAMES_C, "tox.ini": "[testenv]\ndeps =\n  cython>=3\ncommands = pytest\n"},
            "tide/_a.c",
            "'cython>=3'",
        ),
        (
            {"setup.py": NAMES_C, "uv.lock": "", "pyproject.toml": "[dependency-groups]\ndev=['cython<3.1']\n"},
            "tide/_a.c",
            "'cython<3.1'",
        ),
    ],
    ids=["requirements", "build", "pyproject", "tox", "uv"],
)
def test_c_that_cython_makes_is_made_before_the_project_is_installed(
    files: dict[str, str], named: str, need: str
) -> None:
    commands = from_files(files).commands
    [made] = [command for command in commands if "-m cython" in command]
    installed = commands[commands.index(made) + 1]
    assert "-e ." in installed or "uv sync" in installed
    assert made.startswith(f"for made in {named}; do test -e")
    assert f"-m pip install {need}; }}" in made


@pytest.mark.parametrize(
    "files",
    [
        {"setup.py": NAMES_C},
        {"setup.py": NAMES_C, "requirements-dev.txt": "cython-lint\n# cython is not needed\ncythonize\n"},
        {"setup.py": "setup(ext_modules=[x])", "requirements.txt": "cython\n"},
        {
            "setup.py": "from Cython.Build import cythonize\nx = ['../a.c', '/usr/src/a.c', 'a.pyx', 'a.com']\n",
            "tox.ini": "[testenv]\ndeps=cython\n",
        },
        {"setup.py": "import cython\n" + NAMES_C.replace("ext_modules", "cython = ext_modules")},
    ],
)
def test_nothing_is_made_where_no_file_asks_for_cython_or_none_names_c(files: dict[str, str]) -> None:
    assert not [command for command in from_files(files).commands if "-m cython" in command]


@pytest.mark.parametrize("name", ["build.gradle", "settings.gradle.kts"])
def test_gradle_resolves_everything_by_the_wrapper_or_the_machines_own(name: str) -> None:
    recipe = everywhere({name: ""})
    [command] = recipe.commands
    assert "resolve sh ./gradlew" in command
    assert "resolve gradle" in command
    assert recipe.languages == {"java"}
    both = everywhere({"pom.xml": "", name: ""})
    assert both.commands == everywhere({"pom.xml": ""}).commands
    assert both.source == "pom.xml"


@pytest.mark.parametrize(
    "name", [".mvn/wrapper/maven-wrapper.properties", ".mvn/maven.config", ".mvn/extensions.xml"]
)
def test_another_maven_named_by_the_wrapper_is_another_environment(name: str) -> None:
    assert is_input(name)
    assert folders_in([f"service/{name}"]) == ("service",)


HASH = "sha256:" + "a" * 64
POETRY = f"""
[[package]]
name = "flask"
version = "3.0"
optional = false
groups = ["main"]
files = [{{file = "flask-3.0.whl", hash = "{HASH}"}}]

[[package]]
name = "colorama"
version = "0.4"
optional = false
groups = ["main", "dev"]
markers = {{main = "sys_platform == 'win32'", dev = "os_name == 'nt'"}}
files = [{{file = "colorama.whl", hash = "{HASH}"}}]

[[package]]
name = "sphinx"
version = "7"
optional = false
groups = ["docs"]
files = [{{file = "sphinx.whl", hash = "{HASH}"}}]

[[package]]
name = "inner"
version = "1"
optional = false
groups = ["main"]
files = []
source = {{type = "directory", url = "libs/inner"}}
"""
PYPROJECT_OF_POETRY = (
    '[build-system]\n[tool.poetry.dependencies]\npython = "^3.11"\nflask = "^3"\n'
    "[tool.poetry.group.docs]\noptional = true\n[tool.poetry.group.docs.dependencies]\nsphinx = '*'\n"
)
PDM = f"""
[[package]]
name = "flask"
version = "3.0"
groups = ["default"]
marker = "python_version >= \\"3.8\\""
files = [{{file = "flask.whl", hash = "{HASH}"}}]

[[package]]
name = "flask"
version = "3.0"
extras = ["async"]
groups = ["default"]
files = [{{file = "flask.whl", hash = "{HASH}"}}]

[[package]]
name = "sphinx"
version = "7"
groups = ["docs"]
files = [{{file = "sphinx.whl", hash = "{HASH}"}}]
"""
PIPENV = f"""
{{"default": {{"flask": {{"version": "==3.0", "hashes": ["{HASH}"], "markers": "python_version >= '3'"}},
              "own": {{"path": ".", "editable": true}}}},
  "develop": {{"responses": {{"version": "==0.25", "hashes": ["{HASH}"]}}}}}}
"""


def locked(recipe: Recipe, name: str) -> list[str]:
    return recipe.texts[f"asked/{name}.txt"].splitlines()


def test_a_lock_of_poetry_is_installed_with_its_hashes_and_without_what_is_optional() -> None:
    recipe = from_files(
        {"poetry.lock": POETRY, "pyproject.toml": PYPROJECT_OF_POETRY, "requirements.txt": "old\n"}
    )
    assert locked(recipe, "poetry.lock") == [
        f"flask==3.0 --hash={HASH}",
        f"colorama==0.4 ; (sys_platform == 'win32') or (os_name == 'nt') --hash={HASH}",
    ]
    assert list(recipe.commands) == [
        f"{PIP} --no-deps --require-hashes -r {PLACE}/asked/poetry.lock.txt",
        f"{PIP} --no-deps -e libs/inner -e .",
    ]
    assert recipe.source == "poetry.lock, requirements.txt"


def test_a_lock_that_says_nothing_of_platforms_gives_the_versions_and_pip_the_rest() -> None:
    first = POETRY.split('[[package]]\nname = "colorama"', maxsplit=1)[0].replace('groups = ["main"]', "")
    recipe = from_files({"poetry.lock": first, "pyproject.toml": PYPROJECT_OF_POETRY})
    assert locked(recipe, "poetry.lock") == ["flask==3.0"]
    assert list(recipe.commands) == [f"{PIP} -c {PLACE}/asked/poetry.lock.txt -e . 'flask>=3,<4'"]


def test_locks_of_pdm_and_pipenv_are_installed_with_their_hashes() -> None:
    project = '[project]\nname="a"\n[project.optional-dependencies]\ndocs=["sphinx"]\n'
    recipe = from_files({"pdm.lock": PDM, "pyproject.toml": project})
    assert locked(recipe, "pdm.lock") == [f'flask==3.0 ; python_version >= "3.8" --hash={HASH}']
    assert recipe.commands[-1] == f"{PIP} --no-deps -e ."
    recipe = from_files({"Pipfile.lock": PIPENV, "Pipfile": "[packages]\nflask = '*'\n"})
    assert locked(recipe, "Pipfile.lock") == [
        f"responses==0.25 --hash={HASH}",
        f"flask==3.0 ; python_version >= '3' --hash={HASH}",
    ]
    assert recipe.commands[-1] == f"{PIP} --no-deps -e ."


def test_a_changed_text_of_a_recipe_makes_another_environment() -> None:
    recipe = from_files({"Pipfile.lock": PIPENV})
    other = msgspec.structs.replace(recipe, texts={"asked/Pipfile.lock.txt": "flask==3.0\n"})
    assert key_of(recipe, {}, []) != key_of(other, {}, [])


TOX = """
[tox]
env_list = py311, lint
[base]
deps = responses
[testenv]
deps =
    {[base]deps}
    -rrequirements-test.txt
    django42: Django>=4.2
    pytest>=8  # as in CI
extras = cli
commands = pytest {posargs}
[testenv:lint]
deps = ruff
commands = ruff check .
"""
NOX = """
import nox

@nox.session(python=["3.12"])
def lint(session):
    session.install("ruff")
    session.run("ruff", "check")

@nox.session
def tests(s):
    s.install("-e", ".[dev]", "responses")
    s.run("pytest", *s.posargs)
"""
WITH_EXTRA = '[project]\nname="a"\n[project.optional-dependencies]\ncli=["x"]\n'
HATCH = (
    '[project]\nname="a"\ndependencies=["flask"]\n[tool.hatch.envs.test]\ndependencies=["responses"]\n'
    '[tool.hatch.envs.docs]\ndependencies=["sphinx"]\n'
)
NO_PACKAGE = (
    "[tool.poetry]\npackage-mode=false\n[tool.poetry.dependencies]\npython='^3.11'\n"
    "flask={version='~2.1', extras=['async']}\n[tool.poetry.group.test.dependencies]\n"
    "inner={path='libs/inner', develop=true}\n"
)
LEGACY = "[tool.tox]\nlegacy_tox_ini = '''\n[testenv]\ndeps=a\ncommands=pytest\n'''\n"


@pytest.mark.parametrize(
    ("files", "commands"),
    [
        (
            {"pyproject.toml": WITH_EXTRA, "tox.ini": TOX},
            [f"{PIP} -e '.[cli]'", f"{PIP} responses -r requirements-test.txt 'pytest>=8'"],
        ),
        ({"tox.toml": '[env_run_base]\ndeps=["a", "-r b.txt"]\ncommands=[["pytest"]]\n'}, [f"{PIP} a -r b.txt"]),
        ({"pyproject.toml": LEGACY}, [f"{PIP} a"]),
        ({"setup.py": "setup(name='a')\n", "noxfile.py": NOX}, [f"{PIP} -e .", f"{PIP} responses"]),
        ({"pyproject.toml": HATCH}, [f"{PIP} -e .", f"{PIP} responses"]),
        (
            {"hatch.toml": "[envs.hatch-test]\nextra-dependencies=['responses']\n"},
            [f"{PIP} 'coverage[toml]' pytest pytest-mock pytest-rerunfailures 'pytest-xdist[psutil]' responses"],
        ),
        ({"pyproject.toml": NO_PACKAGE}, [f"{PIP} 'flask[async]>=2.1,<2.2' -e libs/inner"]),
        (
            {"Pipfile": "[packages]\nflask='*'\n[dev-packages]\nresponses='>=0.2'\n"},
            [f"{PIP} flask 'responses>=0.2'"],
        ),
        ({"pyproject.toml": "[tool.pdm.dev-dependencies]\ntest=['responses']\n"}, [f"{PIP} responses"]),
        ({"tox.ini": "[testenv]\ndeps=pytest\ncommands=pytest\n"}, []),
        ({"tox.ini": "[tox]\nenv_list=py\n[testenv:lint]\ndeps=ruff\ncommands=ruff check\n"}, []),
    ],
    ids=[
        *("tox", "tox.toml", "legacy tox", "nox", "hatch", "hatch-test", "poetry", "pipenv", "pdm", "at hand"),
        "no tests",
    ],
)
def test_environments_for_tests_bring_what_they_ask_for(files: dict[str, str], commands: list[str]) -> None:
    assert list(from_files(files).commands) == commands


@pytest.mark.parametrize(
    ("version", "bound"),
    [
        ("^1.2.3", ">=1.2.3,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~1", ">=1,<2"),
        ("1.2", "==1.2"),
        ("1.2.*", "==1.2.*"),
        (">= 1.0, < 2", ">=1.0,<2"),
        ("*", ""),
        ("^1 || ^2", ""),
    ],
)
def test_bounds_of_poetry_are_written_as_those_of_pip(version: str, bound: str) -> None:
    assert bounds(version) == bound


@pytest.mark.parametrize(
    ("files", "name", "package", "command"),
    [
        ({"pnpm-lock.yaml": "lockfileVersion: '6.0'\n"}, "pnpm", "pnpm@8", "pnpm install --frozen-lockfile"),
        ({"bun.lock": "{}"}, "bun", "bun@1", "bun install --frozen-lockfile"),
        ({"bun.lockb": "\x00"}, "bun", "bun@1", "bun install --frozen-lockfile"),
        (
            {"bun.lock": "{}", "package.json": '{"packageManager": "bun@1.2.20"}'},
            "bun",
            "bun@1.2.20",
            "bun install --frozen-lockfile",
        ),
        (
            {"pnpm-lock.yaml": "", "package.json": '{"packageManager": "pnpm@9.1.0+sha512.abc"}'},
            "pnpm",
            "pnpm@9.1.0",
            "pnpm install --frozen-lockfile",
        ),
        ({"yarn.lock": "# v1\n"}, "yarn", "yarn@1", "--registry $npm_config_registry}"),
        (
            {"yarn.lock": "__metadata:\n  version: 8\n"},
            "yarn",
            "@yarnpkg/cli-dist@4",
            "yarn install --immutable",
        ),
    ],
)
def test_pnpm_and_yarn_come_in_the_version_that_the_files_want(
    files: dict[str, str], name: str, package: str, command: str
) -> None:
    brought, installs = from_files(files).commands
    assert brought.startswith(f"command -v {name} || ")
    assert f" {package} && " in brought
    assert f"{name} is not on this machine" in brought
    assert installs.endswith(command)


@pytest.mark.parametrize(
    ("wanted", "inside", "outside"),
    [
        (">=18", ["v20.1.0", "18.0.0"], ["16.20.2"]),
        ("^18.12 || >=20.3.0", ["18.13.0", "20.3.0", "22.0.0"], ["18.11.0", "19.1.0", "20.2.9"]),
        ("18 - 20", ["18.0.0", "20.9.0"], ["17.9.9", "21.0.0"]),
        ("~20.1", ["20.1.9"], ["20.2.0"]),
        (">= 16 < 20", ["19.9.9"], ["20.0.0"]),
        (">18", ["19.0.0"], ["18.5.0"]),
        ("<=18", ["18.9.0"], ["19.0.0"]),
        ("20.x", ["20.5.0"], ["21.0.0"]),
        ("v20", ["20.5.0"], ["18.0.0"]),
        ("lts/*", ["18.0.0"], []),
        ("*", ["1.0.0"], []),
    ],
)
def test_a_range_of_node_is_read_as_npm_reads_it(wanted: str, inside: list[str], outside: list[str]) -> None:
    assert all(in_range(version, wanted) for version in inside)
    assert not any(in_range(version, wanted) for version in outside)


def test_engines_name_the_version_of_node_unless_a_file_of_its_own_does() -> None:
    files = {"package.json": '{"engines": {"node": ">=99"}, "dependencies": {"a": "1"}}'}
    assert from_files(files).versions == {"node": ">=99"}
    assert from_files({**files, ".nvmrc": "20\n"}).versions == {"node": "20"}
