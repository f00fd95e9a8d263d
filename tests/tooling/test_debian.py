# SPDX-License-Identifier: Apache-2.0
"""What the tests get from Debian, by a stand-in for apt that installs nothing."""

import os
import re
from pathlib import Path

import pytest

from generator.base.errors import GeneratorError
from tooling import debian, testing
from tooling.debian import Tool


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has no tool, whose apt knows the package known, after an update, and old in version 1.19.

    Returned is the folder that shows what is there.
    """
    programs = tmp_path / "programs"
    programs.mkdir()
    scripts = {
        "apt-get": f"""cd {tmp_path} && echo "$*" >>apt.log
case " $* " in
    *" --print-uris "*)
        [ -e updated ] && printf "'http://%s' %s %s SHA256:0\\n" k.deb k.deb 1500000 l.deb l.deb 500000 ;;
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
    """Return what the stand-in was told to do with packages, in order."""
    words = [re.search(r"update|install .*", line) for line in (machine / "apt.log").read_text().splitlines()]
    return [word[0] for word in words if word]


def test_what_is_missing_is_installed_after_an_update(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_tools(monkeypatch, machine, "known")
    noted: list[str] = []
    debian.ensure_tools(noted.append)
    assert noted == ["installing Debian's known"]
    assert installed(machine) == ["update", "install --yes --no-install-recommends known"]
    debian.ensure_tools(noted.append)
    assert len(noted) == 1


def test_what_debian_lacks_or_has_too_old_does_not_cost_the_rest(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_tools(monkeypatch, machine, "old", "strange", "known")
    debian.ensure_tools(lambda _: None)
    assert installed(machine)[1:] == ["install --yes --no-install-recommends known"]
    assert [tool.package for tool in debian.missing()] == ["old", "strange"]
    debian.ensure_tools(lambda _: None)
    assert len(installed(machine)) == 2
    assert testing.skipped(["there is no strange"])[1:] == ["            1  there is no strange"]


def test_ci_refuses_to_lose_a_test(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_tools(monkeypatch, machine, "known", "strange")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(GeneratorError, match=r"lacks Debian's strange, which apt does not bring$"):
        debian.ensure_tools(lambda _: None)


def test_without_root_the_command_to_give_is_told(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_tools(monkeypatch, machine, "known")
    set_program(machine, "sudo", "echo 'sudo: a password is required' >&2; exit 1")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(GeneratorError, match=r"needs root.*: sudo apt-get install --no-install-recommends known$"):
        debian.ensure_tools(lambda _: None)
    assert not (machine / "apt.log").exists()


def test_a_failed_installation_is_told_in_apts_words(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_tools(monkeypatch, machine, "known")
    set_program(machine, "apt-get", f"touch {machine}/updated; echo 'E: the disk is full' >&2; exit 100")
    with pytest.raises(GeneratorError, match=r"^the disk is full; fix that and give: .*apt-get install .* known$"):
        debian.ensure_tools(lambda _: None)


def test_the_table_of_skipped_tests_counts_reasons_and_ends_with_the_command_and_its_size(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_tools(monkeypatch, machine, "known")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert testing.skipped([]) == []
    table = testing.skipped(["there is no known", "there is no docker", "there is no known"])
    assert table[1:3] == ["            1  there is no docker", "            2  there is no known"]
    assert table[3:] == ["./invokew test --all installs what apt can bring (its size is not known here): known"]
    (machine / "updated").touch()
    assert testing.skipped(["there is no known"])[-1].endswith(" bring (2 MB to fetch): known")
    (machine / "known").touch()
    assert len(testing.skipped(["there is no docker"])) == 2


GO = "case $GOTOOLCHAIN in local) echo go version go{own} linux/amd64 ;; *) {elsewhere} ;; esac"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (GO.format(own="1.21", elsewhere="echo go version go1.25.0 linux/amd64"), r"^$"),
        (GO.format(own="1.24.4", elsewhere="exit 1"), r"^Go is 1\.24\.4 and cannot get the 1\.\d+\S* that the tests'"),
        (GO.format(own="1.19.8", elsewhere="echo go version go1.19.8 linux/amd64"), r"^Go is 1\.19\.8 and cannot get"),
        ("echo nothing", r"does not tell its version$"),
    ],
)
def test_a_go_that_cannot_build_the_tests_module_says_so(machine: Path, script: str, says: str) -> None:
    assert re.search(says, debian.go_is_too_old(str(set_program(machine, "go", script))))
