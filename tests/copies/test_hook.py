# SPDX-License-Identifier: Apache-2.0
"""Copies watched by pre-commit and by GitHub's runner."""

import importlib.util
import sys
from pathlib import Path

import pytest
from copying import commit, git, run, write
from support import lack

pytestmark = pytest.mark.usefixtures("place")


def test_pre_commit_runs_the_hook_from_a_clone(
    toolchain: Path, older: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if importlib.util.find_spec("pre_commit") is None:
        lack("there is no pre-commit for this Python")
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "cache"))
    revision = git(toolchain, "rev-parse", "HEAD").strip()
    (place / ".pre-commit-config.yaml").write_text(
        f"repos:\n- repo: file://{toolchain}\n  rev: {revision}\n  hooks:\n  - id: winscratch-vendored\n"
    )
    write("go", "scratch", "layers/", compat="imgutil")
    write("c", "scratch", "src/base.c")
    (place / "other.py").write_text("print()\n")
    git(place, "init", "-q")
    commit(place)

    def pre_commit() -> tuple[int, str, str]:
        return run(sys.executable, "-m", "pre_commit", "run", "--all-files")

    status, shown, _ = pre_commit()
    assert status == 0, shown
    assert "Passed" in shown
    copy = place / "layers/windows_scratch.go"
    fresh = copy.read_bytes()
    copy.write_bytes(fresh + b"// mine\n")
    git(place, "add", "-A")
    status, shown, _ = pre_commit()
    assert (status, "edited by hand: layers/windows_scratch.go (go, scratch)" in shown) == (1, True), shown
    copy.unlink()
    write("go", "scratch", "layers/", older)
    git(place, "add", "-A")
    status, shown, _ = pre_commit()
    assert (status, "outdated: layers/windows_scratch.go" in shown) == (1, True), shown


def test_the_github_action_runs_as_the_runner_runs_it(toolchain: Path, place: Path) -> None:
    if importlib.util.find_spec("yaml") is None:
        lack("there is no PyYAML for this Python")
    import yaml

    action = yaml.safe_load((toolchain / "action.yml").read_text("utf-8"))
    assert action["runs"]["using"] == "composite"
    (step,) = action["runs"]["steps"]
    (variable,) = step["env"]
    assert step["env"][variable] == "${{ inputs.paths }}"
    assert step["shell"] == "bash"

    def runner(paths: str) -> tuple[int, str, str]:
        environment = {"GITHUB_ACTION_PATH": str(toolchain), "GITHUB_ACTIONS": "true", variable: paths}
        return run("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"], environment=environment)

    write("python", "scratch", "a b/x.py")
    write("python", "scratch", "$(touch c)/y.py")
    assert runner(action["inputs"]["paths"]["default"])[0] == 0
    assert runner("a b\n$(touch c)\n")[:2] == (
        0,
        "fresh: $(touch c)/y.py (python, scratch)\nfresh: a b/x.py (python, scratch)\n",
    )
    assert not (place / "c").exists()
    (place / "a b/x.py").write_text((place / "a b/x.py").read_text() + "# mine\n")
    status, shown, _ = runner(".")
    assert status == 1
    assert "::error file=a b/x.py::edited by hand: a b/x.py (python, scratch)" in shown
    assert runner("gone") == (2, "", "error: gone: no such file or directory\n")
