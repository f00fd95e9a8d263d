# SPDX-License-Identifier: Apache-2.0
"""The task that runs the tests, where what it is given names none."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from generator.base.errors import GeneratorError
from tooling import debian, testing, venv


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install nothing: the packages are those of the tests that run."""
    monkeypatch.setattr(venv, "ensure_test_packages", lambda _: None)


@pytest.mark.parametrize("file", ["tests/nope.py", "tests/nope.py::test_it"])
def test_a_file_that_is_not_there_is_named(file: str) -> None:
    with pytest.raises(GeneratorError, match=rf"^--file: {file}: "):
        testing.run_tests(files=["tests/cli/test_cli.py", file], note=print)


def test_an_expression_that_chooses_no_test_is_named() -> None:
    with pytest.raises(GeneratorError, match="--select no_such_name "):
        testing.run_tests(files=["tests/project/test_style.py"], select="no_such_name", note=print)


def test_a_run_of_all_tests_first_says_what_it_costs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.setattr(venv, "has_test_packages", lambda: False)
    monkeypatch.setattr(venv, "ensure_test_packages", lambda _: said.append("installs"))
    monkeypatch.setattr(debian, "find", lambda program: "/bin/go" if program == "go" else None)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 0))
    assert testing.run_tests(note=said.append) == 0
    time, packages, modules, installs = said
    assert f"about {testing.MINUTES} minutes" in time
    assert f"about {testing.PACKAGES[0]} MB" in packages
    assert f"{testing.PACKAGES[1]} MB in .venv" in packages
    assert f"go {testing.FETCHED['go']} MB" in modules
    assert "npm" not in modules
    assert installs == "installs"
    said.clear()
    assert testing.run_tests(files=["tests/cli/test_cli.py"], note=said.append) == 0
    assert said == [packages, "installs"]


def test_the_size_that_is_told_of_the_packages_is_theirs() -> None:
    files = (Path(folder, name) for folder, _, names in os.walk(sys.prefix) for name in names)
    size = sum(path.lstat().st_blocks * 512 for path in files) / 1e6
    assert testing.PACKAGES[1] / 1.5 < size < testing.PACKAGES[1] * 1.5
