# SPDX-License-Identifier: Apache-2.0
"""Installing Debian packages for tests, with an apt that installs nothing."""

import os
import re
from pathlib import Path

import pytest

from generator.base.errors import GeneratorError
from tooling import debian, testing
from tooling.debian import Tool


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the installed tools, none yet; apt offers `known`, after an update, and `old` 1.19."""
    programs = tmp_path / "programs"
    programs.mkdir()
    scripts = {
        "apt-get": f"""cd {tmp_path} && echo "$*" >>apt.log
case " $* " in
    *" update "*) touch updated ;;
    *" known "*) [ -e updated ] && touch known ;;
esac""",
        "apt-cache": f"""cd {tmp_path} && [ -e updated ] || exit 100
case $3 in
    known) printf 'Package: known\\nArchitecture: all\\nVersion: 2\\n' ;;
    old) printf 'Package: old\\nVersion: 1.19\\n' ;;
    strange) printf 'Package: stranger\\nVersion: 3\\n' ;;
    *) exit 100 ;;
esac""",
        "sudo": 'shift; exec "$@"',
    }
    for name, script in scripts.items():
        set_program(tmp_path, name, script)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


def set_program(machine: Path, name: str, script: str) -> Path:
    path = machine / "programs" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def set_tools(monkeypatch: pytest.MonkeyPatch, machine: Path, *packages: str) -> None:
    least = {"old": "1.21"}
    tools = tuple(Tool(name, str(machine / name), least.get(name, "0")) for name in packages)
    monkeypatch.setattr(debian, "TOOLS", tools)


def installed(machine: Path) -> list[str]:
    """Return the updates and installations that apt-get ran, in order."""
    words = [re.search(r"update|install .*", line) for line in (machine / "apt.log").read_text().splitlines()]
    return [word[0] for word in words if word]


def test_missing_packages_are_installed_after_an_update(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_tools(monkeypatch, machine, "known")
    debian.ensure_tools()
    assert capsys.readouterr().err == "installing Debian packages: known\n"
    assert installed(machine) == ["update", "install --yes --no-install-recommends known"]
    debian.ensure_tools()
    assert capsys.readouterr().err == ""


def test_packages_that_debian_lacks_or_has_too_old_do_not_stop_the_others(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_tools(monkeypatch, machine, "old", "strange", "known")
    debian.ensure_tools()
    assert installed(machine)[1:] == ["install --yes --no-install-recommends known"]
    assert [tool.package for tool in debian.missing()] == ["old", "strange"]
    debian.ensure_tools()
    assert len(installed(machine)) == 2


def test_ci_refuses_missing_packages(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_tools(monkeypatch, machine, "known", "strange")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(GeneratorError, match=r"Debian packages are missing that apt does not offer: strange$"):
        debian.ensure_tools()


def test_without_root_the_error_has_the_command(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_tools(monkeypatch, machine, "known")
    set_program(machine, "sudo", "echo 'sudo: a password is required' >&2; exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(GeneratorError, match=r"needs root; hint: sudo apt-get install --no-install-recommends known$"):
        debian.ensure_tools()
    assert not (machine / "apt.log").exists()


def test_a_failed_installation_is_one_line_with_apts_error(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_tools(monkeypatch, machine, "known")
    set_program(machine, "apt-get", f"touch {machine}/updated; echo 'E: the disk is full' >&2; exit 100")
    with pytest.raises(GeneratorError, match=r"^apt-get: the disk is full; hint: .*apt-get install .* known$"):
        debian.ensure_tools()


def test_the_table_of_skipped_tests_counts_reasons_and_needs_no_network(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_tools(monkeypatch, machine, "known")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert testing.skipped([]) == []
    table = testing.skipped(["known not found", "docker not found", "known not found"])
    assert table[1:3] == ["            1  docker not found", "            2  known not found"]
    assert table[3:] == ["./invokew test --all installs Debian packages: known"]
    (machine / "known").touch()
    assert len(testing.skipped(["docker not found"])) == 2
    assert not (machine / "apt.log").exists()


GO = "case $GOTOOLCHAIN in local) echo go version go{own} linux/amd64 ;; *) {elsewhere} ;; esac"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (GO.format(own="1.21", elsewhere="echo go version go1.25.0 linux/amd64"), r"^$"),
        (GO.format(own="1.24.4", elsewhere="exit 1"), r"^go 1\.24\.4 cannot download go 1\.\d+\S*, which"),
        (GO.format(own="1.19.8", elsewhere="echo go version go1.19.8 linux/amd64"), r"^go 1\.19\.8 cannot download"),
        ("echo nothing", r": no version in the output of go version$"),
    ],
)
def test_a_go_that_is_too_old_for_the_tests_is_reported(machine: Path, script: str, reason: str) -> None:
    assert re.search(reason, debian.go_is_too_old(str(set_program(machine, "go", script))))
