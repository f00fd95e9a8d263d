# SPDX-License-Identifier: Apache-2.0
"""Installing a lock file into .venv, with a pip that installs nothing."""

from pathlib import Path

import pytest

from tooling import venv

LOCK = "requirements-test.lock"
# Log the arguments; fail the import if the module should be missing.
PYTHON = """#!/bin/sh
echo "$@" >>{folder}/log
case "$*" in *"-c import"*) [ -e {folder}/works ] || {{ echo "ModuleNotFoundError: pytest" >&2; exit 1; }} ;; esac
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkout with a lock file and a .venv whose Python only logs its arguments."""
    monkeypatch.setattr(venv, "PROJECT", tmp_path)
    monkeypatch.setattr(venv, "VENV", tmp_path / ".venv")
    (tmp_path / LOCK).write_text("some==1 --hash=sha256:00\n")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    python = tmp_path / ".venv/bin/python"
    python.write_text(PYTHON.format(folder=tmp_path))
    python.chmod(0o755)
    (tmp_path / "works").touch()
    return tmp_path


def pip_calls(project: Path) -> list[str]:
    return [line for line in (project / "log").read_text().splitlines() if "pip install" in line]


def test_packages_are_installed_once_for_each_lock(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (venv.install(LOCK), venv.install(LOCK)) == (0, 0)
    assert capsys.readouterr().err == "invokew: installing requirements-test.lock\n"
    (call,) = pip_calls(project)
    assert {"-I", "--only-binary=:all:", "--require-hashes", "--no-deps"} <= {*call.split()}
    (project / LOCK).write_text("some==2 --hash=sha256:00\n")
    assert venv.install(LOCK) == 0
    assert len(pip_calls(project)) == 2


def test_packages_that_cannot_be_imported_count_as_missing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "works").unlink()
    for _ in range(2):
        assert venv.install(LOCK) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith("invokew: requirements-test.lock: pip installed it elsewhere or incompletely; hint: ")
    assert not (project / ".venv" / LOCK).exists()
    assert len(pip_calls(project)) == 2


def test_a_python_without_ensurepip_is_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / venv.LOCK).touch()
    monkeypatch.setattr(venv, "find_spec", lambda _: None)
    assert venv.install(venv.LOCK) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert ": ensurepip is missing; hint: install python3." in error
    assert not (project / "log").exists()
