# SPDX-License-Identifier: Apache-2.0
"""Commands that run in other people's projects execute nothing of those projects."""

import importlib.util
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from copying import git, run, write
from hostile_tree import HostileTree
from support import lack, need

from generator.machine import PROJECT, venv

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
        return run(need("bash"), *BASH, step["run"], environment={**settings, **own}, seconds=SECONDS)

    return of


@pytest.mark.parametrize("by", ["the working directory", "settings"])
def test_the_action_runs_nothing_of_the_tree_that_it_checks(action: Action, hostile: HostileTree, by: str) -> None:
    write("python", "scratch", "src/x.py")
    write("python", "scratch", "src/y.py")
    Path("src/y.py").write_text(Path("src/y.py").read_text("utf-8") + "# mine\n", "utf-8")
    status, shown, said = action(hostile.settings(os.environ["PATH"]) if by == "settings" else {})
    assert hostile.executed() == []
    found = ["edited by hand: src/y.py (python, scratch)", "fresh: src/x.py (python, scratch)"]
    assert (status, shown.splitlines()[:2]) == (1, found), said


def test_the_action_keeps_those_settings_of_pip_that_invokew_keeps() -> None:
    kept = {*re.findall(r"\bPIP_([A-Z_]+)", ACTION.read_text("utf-8"))}
    names = {name.lower().replace("_", "-") for name in kept}
    assert {"index-url", "proxy", "cert"} <= names
    assert names <= venv.PIP_SETTINGS - {"cache-dir", "no-cache-dir", "keyring-provider"}, "these start programs"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a pre-commit cache that the tests share."""
    return tmp_path_factory.mktemp("pre-commit")


@pytest.mark.parametrize("hook", ["winscratch-vendored", "winscratch-vendored-update"])
def test_the_hooks_run_nothing_of_the_repository_that_they_check(
    hook: str, toolchain: Path, place: Path, tmp_path: Path, cache: Path
) -> None:
    if importlib.util.find_spec("pre_commit") is None:
        lack("there is no pre-commit for this Python")
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
        status, shown, _ = run(*command, environment=environment, seconds=SECONDS)
        assert hostile.executed() == []
        assert (status, "fresh: src/x.py (python, scratch)" in shown) == (0, True), shown
