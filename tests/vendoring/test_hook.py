# SPDX-License-Identifier: Apache-2.0
"""Copies watched by pre-commit and by GitHub's runner, each with winscratch installed in an environment of its own."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from helpers.counts import thorough
from helpers.support import need_package
from helpers.vendoring import commit, git, run, write

pytestmark = pytest.mark.usefixtures("place")
Hook = Callable[[str], tuple[int, str]]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pre-commit keeps its clones and environments, which the tests here share."""
    return tmp_path_factory.mktemp("pre-commit")


@pytest.fixture
def hook(toolchain: Path, place: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Hook:
    """Return a function that runs a hook on all files in `place` and returns its exit status and output."""
    need_package("pre_commit")
    monkeypatch.setenv("PRE_COMMIT_HOME", str(cache))
    revision = git(toolchain, "rev-parse", "HEAD").strip()
    hooks = "".join(f"  - id: winscratch-vendored{ending}\n" for ending in ("", "-update"))
    (place / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: file://{toolchain}\n  rev: {revision}\n  hooks:\n{hooks}"
    )
    (place / "other.py").write_text("print()\n")
    git(place, "init", "-q")

    def of(name: str) -> tuple[int, str]:
        git(place, "add", "-A")
        status, shown, _ = run(sys.executable, "-m", "pre_commit", "run", name, "--all-files")
        return status, shown

    return of


@thorough("installs the program several times")
def test_the_hook_fails_for_copies_that_are_not_fresh_and_says_the_fix_once(hook: Hook, place: Path) -> None:
    status, shown = hook("winscratch-vendored")
    assert (status, "Passed" in shown) == (0, True), shown
    write("go", "scratch", "layers/", compat="imgutil", lock=True)
    write("c", "scratch", "src/base.c")
    for number in range(500):  # pre-commit would deal them out to several processes
        (place / f"{number}.py").write_text("print()\n")
    commit(place)
    status, shown = hook("winscratch-vendored")
    assert (status, "Passed" in shown) == (0, True), shown
    copy = place / "layers/windows_scratch.go"
    fresh = copy.read_bytes()
    copy.write_bytes(fresh + b"// mine\n")
    status, shown = hook("winscratch-vendored")
    assert (status, "edited by hand: layers/windows_scratch.go (go, scratch)" in shown) == (1, True), shown
    assert shown.count("to fix") == 1
    copy.unlink()
    git(place, "add", "-A")
    commit(place)
    status, shown = hook("winscratch-vendored")
    assert (status, "missing: layers/windows_scratch.go (go, scratch): listed" in shown) == (1, True), shown


def test_the_second_hook_makes_outdated_copies_anew(hook: Hook, older: Path, place: Path) -> None:
    write("go", "scratch", "layers/", older)
    write("c", "scratch", "src/base.c", older)
    (place / "src/base.h").write_text((place / "src/base.h").read_text("utf-8") + "// mine\n", "utf-8")
    edited = (place / "src/base.c").read_bytes()
    status, shown = hook("winscratch-vendored-update")
    assert (status, "files were modified by this hook" in shown) == (1, True), shown
    assert "fresh: layers/windows_scratch.go (go, scratch): updated" in shown
    assert (place / "src/base.c").read_bytes() == edited, "half of it is a person's"
    for path in (place / "src").iterdir():
        path.unlink()
    status, shown = hook("winscratch-vendored-update")
    assert (status, "Passed" in shown) == (0, True), shown


@thorough("installs the program several times")
def test_the_github_action_runs_as_the_runner_runs_it(toolchain: Path, place: Path, tmp_path: Path) -> None:
    action = yaml.safe_load((toolchain / "action.yml").read_text("utf-8"))
    assert action["runs"]["using"] == "composite"
    (step,) = action["runs"]["steps"]
    (variable,) = step["env"]
    assert step["env"][variable] == "${{ inputs.paths }}"
    assert step["shell"] == "bash"
    (tmp_path / "temporary").mkdir()

    def runner(paths: str) -> tuple[int, str, str]:
        environment = {
            "GITHUB_ACTION_PATH": str(toolchain),
            "GITHUB_ACTIONS": "true",
            "TMPDIR": str(tmp_path / "temporary"),
            variable: paths,
        }
        shell = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c"]
        return run(*shell, step["run"], environment=environment)

    write("python", "scratch", "a b/x.py")
    write("python", "scratch", "$(touch c)/y.py")
    assert runner("a b\n$(touch c)\n")[:2] == (
        0,
        "fresh: $(touch c)/y.py (python, scratch)\nfresh: a b/x.py (python, scratch)\n",
    )
    assert not (place / "c").exists()
    (place / "a b/x.py").write_text((place / "a b/x.py").read_text("utf-8") + "# mine\n", "utf-8")
    status, shown, _ = runner(action["inputs"]["paths"]["default"])
    assert status == 1
    assert "::error file=a b/x.py::edited by hand: a b/x.py (python, scratch)" in shown
    status, _, said = runner("gone")
    assert (status, said.splitlines()[-1]) == (2, "error: gone: no such file or directory")
    assert not list((tmp_path / "temporary").iterdir())
