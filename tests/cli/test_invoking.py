# SPDX-License-Identifier: Apache-2.0
"""What ./invokew makes of the files in which a user keeps settings of Invoke."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from tooling import PROJECT

from generator.base.errors import EXIT_ERROR, EXIT_OK

START = "import sys; from generator.__main__ import tasks; sys.exit(tasks(sys.argv[1], sys.argv[2:]))"


def run(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", START, str(PROJECT), *words]
    env = os.environ | {"HOME": str(home)}
    return subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *((".invoke.yaml", "run: ["), (".invoke.yaml", "- run"), (".invoke.yml", "run: 5"), (".invoke.json", "{")),
        *((".invoke.yaml", "\0"), (".invoke.py", "def"), (".invoke.py", "raise RuntimeError")),
    ],
)
def test_broken_settings_are_one_line_that_names_the_file(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    done = run(tmp_path, "--list")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (EXIT_ERROR, "", 1)
    assert done.stderr.startswith(f"error: {tmp_path / name}: invalid Invoke settings")


@pytest.mark.parametrize(("name", "text"), [(".invoke.yaml", ""), (".invoke.json", '{"run": {"echo": true}}')])
def test_good_settings_are_taken(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    done = run(tmp_path, "--list")
    assert (done.returncode, done.stderr) == (EXIT_OK, "")


def test_settings_of_an_unknown_kind_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "settings.txt").touch()
    done = run(tmp_path, "--config", str(tmp_path / "settings.txt"), "check-stale")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (EXIT_ERROR, "", 1)


def test_a_package_that_lost_a_module_is_told_with_a_fix_that_works(tmp_path: Path) -> None:
    """In a checkout whose own environment runs it; ./invokew makes that anew when it is removed."""
    tree = tmp_path / "tree"
    shutil.copytree(PROJECT / "generator", tree / "generator", ignore=shutil.ignore_patterns("__pycache__"))
    venv.create(tree / ".venv", symlinks=True)
    code = f"import sys; sys.path.append(sys.argv[1]); {START}"
    command = [str(tree / ".venv/bin/python"), "-I", "-c", code, str(tree), "check-stale", "--full"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    fix = f"remove {tree}/.venv and run ./invokew again"
    assert (done.returncode, done.stderr) == (EXIT_ERROR, f"error: invoke: not installed; hint: {fix}\n")
