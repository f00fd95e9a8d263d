# SPDX-License-Identifier: Apache-2.0
"""The task that runs the tests: its options, its costs, and its errors."""

import subprocess
from typing import Any

import pytest

from generator.base.errors import GeneratorError
from tooling import debian, testing, venv


@pytest.fixture
def pytest_runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, str]]]:
    """Record the commands and environments of pytest instead of running it; install nothing."""
    runs: list[tuple[list[str], dict[str, str]]] = []

    def record(command: list[str], env: dict[str, str], **_: Any) -> subprocess.CompletedProcess[str]:
        runs.append((command, env))
        return subprocess.CompletedProcess(command, testing.NOT_COLLECTED if "no_such_name" in command else 0)

    monkeypatch.setattr(venv, "has", lambda _: True)
    monkeypatch.setattr(subprocess, "run", record)
    monkeypatch.delenv("WINSCRATCH_THOROUGH", raising=False)
    return runs


@pytest.mark.parametrize("file", ["tests/nope.py", "tests/nope.py::test_it"])
def test_a_missing_file_is_an_error(file: str) -> None:
    with pytest.raises(GeneratorError, match=rf"^--file: {file}: not found"):
        testing.run_tests(["tests/cli/test_cli.py", file])


@pytest.mark.usefixtures("pytest_runs")
def test_an_expression_without_tests_is_an_error() -> None:
    with pytest.raises(GeneratorError, match=r"^--select: no test matches no_such_name$"):
        testing.run_tests(select="no_such_name")


def test_one_file_runs_without_workers(pytest_runs: list[tuple[list[str], dict[str, str]]]) -> None:
    for files in ([], ["tests/hives"], ["tests/cli/test_cli.py", "tests/hives/test_spans.py"]):
        assert testing.run_tests(files) == 0
        assert "-n" in pytest_runs[-1][0]
    for file in ("tests/cli/test_cli.py", "tests/cli/test_cli.py::test_it"):
        testing.run_tests([file], "word")
        assert pytest_runs[-1][0][2:] == ["pytest", "-k", "word", file]


def test_thorough_sets_large_counts_and_installs_both_locks(
    pytest_runs: list[tuple[list[str], dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed: list[str] = []

    def install(*locks: str) -> int:
        installed.extend(locks)
        return 0

    monkeypatch.setattr(testing, "install", install)
    testing.run_tests()
    assert (installed, "WINSCRATCH_THOROUGH" in pytest_runs[-1][1]) == ([testing.QUICK], False)
    testing.run_tests(thorough=True)
    assert (installed[1:], pytest_runs[-1][1]["WINSCRATCH_THOROUGH"]) == ([testing.QUICK, testing.THOROUGH], "1")


def test_costs_are_time_downloads_and_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venv, "has", lambda _: False)
    monkeypatch.setattr(debian, "find", lambda program: "/bin/go" if program == "go" else None)
    time, packages, modules = testing.costs([testing.QUICK], whole=True)
    assert time.startswith(f"time: about {testing.MINUTES[testing.QUICK]} minutes")
    download, disk = testing.PACKAGES[testing.QUICK]
    assert packages == f"once: requirements-test.lock: about {download} MB to download; .venv then takes {disk} MB"
    assert f"go {testing.FETCHED['go']} MB;" in modules
    assert f"disk: {testing.TEMPORARY} MB" in modules
    assert testing.costs([testing.QUICK], whole=False) == [packages]
    assert len(testing.costs([testing.QUICK, testing.THOROUGH], whole=False)) == 2


def test_packages_are_not_installed_into_another_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.prefix", "/usr")
    with pytest.raises(GeneratorError, match=r"^requirements-test.lock: not installed in /usr; hint: use ./invokew$"):
        testing.install(testing.QUICK)
