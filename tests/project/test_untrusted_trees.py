# SPDX-License-Identifier: Apache-2.0
"""Commands that run in other people's projects execute nothing of those projects."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from helpers.counts import thorough
from helpers.hostile_tree import HostileTree
from helpers.support import lack, need, need_package
from helpers.vendoring import git, run, write
from tooling import PROJECT

from generator import VERSION

SECONDS = 500  # an environment is made, and packages are downloaded
ACTION = PROJECT / "action.yml"
BASH = ("--noprofile", "--norc", "-e", "-o", "pipefail", "-c")  # as GitHub's runner starts it


@pytest.fixture
def hostile(place: Path, tmp_path: Path) -> HostileTree:
    """The working directory as a hostile tree."""
    return HostileTree(place, tmp_path / "marks")


Action = Callable[[dict[str, str]], tuple[int, str, str]]


@pytest.fixture
def action(toolchain: Path, tmp_path: Path) -> Action:
    """Return a function that runs the steps of action.yml in the working directory."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (step,) = yaml.safe_load((toolchain / "action.yml").read_text("utf-8"))["runs"]["steps"]

    def of(settings: dict[str, str]) -> tuple[int, str, str]:
        own = {"GITHUB_ACTION_PATH": str(toolchain), "TMPDIR": str(temporary), "WINSCRATCH_PATHS": "src\n"}
        return run(need("bash"), *BASH, step["run"], environment={**settings, **own})

    return of


@thorough("installs the program several times")
@pytest.mark.parametrize("by", ["the working directory", "settings"])
def test_the_action_runs_nothing_of_the_tree_that_it_checks(action: Action, hostile: HostileTree, by: str) -> None:
    write("python", "scratch", "src/x.py")
    write("python", "scratch", "src/y.py")
    Path("src/y.py").write_text(Path("src/y.py").read_text("utf-8") + "# mine\n", "utf-8")
    status, shown, said = action(hostile.settings(os.environ["PATH"]) if by == "settings" else {})
    assert hostile.executed() == []
    found = ["edited by hand: src/y.py (python, scratch)", "fresh: src/x.py (python, scratch)"]
    assert (status, sorted(shown.splitlines()[:2])) == (1, found), said


def test_the_action_keeps_only_pip_settings_that_start_no_program() -> None:
    kept = {*re.findall(r"\bPIP_([A-Z_]+)", ACTION.read_text("utf-8"))}
    names = {name.lower().replace("_", "-") for name in kept}
    assert {"index-url", "proxy", "cert"} <= names
    assert names.isdisjoint({"cache-dir", "keyring-provider", "python", "target", "prefix", "root"})


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a pre-commit cache that the tests share."""
    return tmp_path_factory.mktemp("pre-commit")


@thorough("installs the program several times")
@pytest.mark.parametrize("hook", ["winscratch-vendored", "winscratch-vendored-update"])
def test_the_hooks_run_nothing_of_the_repository_that_they_check(
    hook: str, toolchain: Path, place: Path, tmp_path: Path, cache: Path
) -> None:
    need_package("pre_commit")
    revision = git(toolchain, "rev-parse", "HEAD").strip()
    (place / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: file://{toolchain}\n  rev: {revision}\n  hooks:\n  - id: {hook}\n"
    )
    write("python", "scratch", "src/x.py")
    git(place, "init", "-q")
    hostile = HostileTree(place, tmp_path / "marks")
    git(place, "add", "-A")
    # pre-commit itself imports what PYTHONPATH names, so there only our modules and their libraries are hostile.
    hostile.add_packages("path", {"winscratch", "argcomplete", "deflate", "jinja2", "msgspec", "rich"})
    for settings in ({}, {"PYTHONPATH": "path"}):
        environment = {"PRE_COMMIT_HOME": str(cache), **settings}
        command = (sys.executable, "-I", "-m", "pre_commit", "run", hook, "--all-files", "--verbose")
        status, shown, _ = run(*command, environment=environment)
        assert hostile.executed() == []
        assert (status, "fresh: src/x.py (python, scratch)" in shown) == (0, True), shown


# ---------------------------------------------------------------------------------------------
# Documented commands


def block(document: str, holds: str) -> str:
    """Return the one block of shell commands in *document* that holds a text."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (PROJECT / document).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (found,) = [each for each in blocks if holds in each]
    return str(found)


def shell(commands: str, home: Path) -> tuple[int, str, str]:
    """Run *commands* in the working directory, with the tests' Python as python and python3."""
    programs = home / "programs"
    programs.mkdir(parents=True)
    for name in ("python", "python3"):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        (programs / name).chmod(0o755)
    environment = {"HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}"}
    return run(need("bash"), "-e", "-c", commands, environment=environment)


def test_the_commands_that_check_a_copy_import_nothing_beside_it(hostile: HostileTree, tmp_path: Path) -> None:
    write("python", "scratch", "windows_scratch.py")
    status, shown, said = shell(block("docs/languages/python.md", "--verify"), tmp_path / "home")
    assert hostile.executed() == []
    assert (status, '"layerSize"' in shown) == (0, True), said
    assert Path("layer.tar.gz").read_bytes() == (PROJECT / "output/layers/scratch.tar.gz").read_bytes()


@thorough("installs the program several times")
def test_the_readmes_installation_by_hash_works_in_a_hostile_tree(
    toolchain: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("python", "scratch", "src/x.py")
    hostile = HostileTree(place, tmp_path / "marks")
    monkeypatch.chdir(toolchain)
    home = tmp_path / "home"
    status, _, said = shell(block("README.md", "pip install"), home)
    if "Retrying" in said:
        lack("the package index cannot be reached")
    assert status == 0, said
    winscratch = str(home / "winscratch/bin/winscratch")
    assert run(winscratch, "--version") == (0, f"winscratch {VERSION}\n", "")
    monkeypatch.chdir(place)
    assert run(winscratch, "vendored", "src") == (0, "fresh: src/x.py (python, scratch)\n", "")
    assert hostile.executed() == []
