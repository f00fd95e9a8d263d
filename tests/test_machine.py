# SPDX-License-Identifier: Apache-2.0
"""What the tests get from Debian, by a stand-in for apt-get that installs nothing."""

import re
from pathlib import Path

import pytest

from generator import machine
from generator.errors import GeneratorError
from generator.machine import Tool


@pytest.fixture
def debian(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose apt-get can install known and nothing else; return the folder that shows what is there."""
    programs = tmp_path / "programs"
    programs.mkdir()
    scripts = {
        "apt-get": f'case "$*" in *strange*) echo "E: Unable to locate package strange"; exit 100 ;; esac\n'
        f'case "$*" in *known*) touch {tmp_path}/known ;; esac',
        "apt-cache": '[ "$2" = known ]',
        "sudo": 'shift; exec "$@"',
    }
    for name, script in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("WINSCRATCH_NO_INSTALL", raising=False)
    return tmp_path


def set_tools(monkeypatch: pytest.MonkeyPatch, debian: Path, *packages: str) -> None:
    tools = tuple(Tool(name, str(debian / name), f"tests of {name}") for name in packages)
    monkeypatch.setattr(machine, "TOOLS", tools)


def test_missing_tools_are_installed(debian: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_tools(monkeypatch, debian, "known")
    assert machine.ensure_tools() == ()


def test_an_unknown_package_does_not_cost_the_others(
    debian: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_tools(monkeypatch, debian, "strange", "known")
    assert machine.ensure_tools() == ("strange",)
    assert "invokew: without Debian's strange these tests are skipped: tests of strange\n" in capsys.readouterr().err


@pytest.mark.parametrize("may_install", [None, False])
def test_where_installing_is_forbidden_the_command_is_told(
    debian: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], may_install: bool | None
) -> None:
    set_tools(monkeypatch, debian, "known")
    if may_install is None:
        monkeypatch.setenv("WINSCRATCH_NO_INSTALL", "1")
    assert machine.ensure_tools(may_install=may_install) == ("known",)
    assert capsys.readouterr().err.endswith("apt-get install --no-install-recommends known\n")
    assert not (debian / "known").exists()


def test_ci_refuses_to_lose_a_test(debian: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_tools(monkeypatch, debian, "strange")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(GeneratorError, match="strange: Unable to locate package strange"):
        machine.ensure_tools()


@pytest.mark.parametrize(
    ("says", "present"),
    [
        ("go version go1.21 linux/amd64", True),
        ("go version go1.26.8 linux/amd64", True),
        ("go version go1.19.8 linux/amd64", False),
        ("nothing", False),
    ],
)
def test_an_old_go_counts_as_missing(debian: Path, says: str, present: bool) -> None:
    (debian / "programs/go").write_text(f"#!/bin/sh\necho '{says}'\n")
    (debian / "programs/go").chmod(0o755)
    assert Tool("golang", "go", "the Go module").present() is present


def test_test_packages_go_into_a_virtual_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.prefix", "/usr")
    monkeypatch.setattr("sys.base_prefix", "/usr")
    with pytest.raises(GeneratorError, match="virtual environment"):
        machine.ensure_test_packages()


def test_test_packages_are_installed_once_for_each_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "requirements-test.lock"
    lock.write_text("some-package==1 --hash=sha256:00\n")
    python = tmp_path / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/log\n')
    python.chmod(0o755)
    monkeypatch.setattr("sys.prefix", str(tmp_path / "venv"))
    monkeypatch.setattr(machine, "TEST_LOCK", lock)
    for _ in range(2):
        machine.ensure_test_packages()
    calls = (tmp_path / "log").read_text().splitlines()
    assert len(calls) == 1
    assert calls[0].startswith("-I -m pip install ")
    assert calls[0].endswith(f"--require-hashes --requirement {lock}")


def test_locks_hold_hashes_alone_and_agree() -> None:
    runtime, test = (
        dict(re.findall(r"^([\w.-]+)==(\S+) \\$", lock.read_text(), re.MULTILINE))
        for lock in (machine.LOCK, machine.TEST_LOCK)
    )
    assert {"invoke", "jinja2", "msgspec", "zopfli"} <= runtime.keys()
    assert all(test[name] == runtime[name] for name in runtime.keys() & test.keys())
    assert "hivex" not in runtime.keys() | test.keys()
    for lock in (machine.LOCK, machine.TEST_LOCK):
        assert "://" not in lock.read_text()
