# SPDX-License-Identifier: Apache-2.0
"""The lock files, and how the test packages are installed."""

import re
import sysconfig
from pathlib import Path

import pytest

from generator.base.errors import GeneratorError
from tooling import venv

# Plays pip: keeps its arguments and its settings, and puts the package where it belongs, with or without its module.
PIP = """#!/bin/sh
case "$*" in *"config list"*) exit ;; esac
echo "$@" >>{folder}/log
case "$*" in *{works}*) ;; *) exit 0 ;; esac
mkdir -p {site}/some_package {site}/some_package-1.dist-info
touch {site}/some_package/__init__.py
printf 'Name: some.package\\nVersion: 1\\n' >{site}/some_package-1.dist-info/METADATA
echo some_package/__init__.py,, >{site}/some_package-1.dist-info/RECORD
"""


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a virtual environment, said to be the running one, in which nothing is installed."""
    lock = tmp_path / "requirements-test.lock"
    lock.write_text(
        "Some_package==1 \\\n    --hash=sha256:00\nnot-here==2 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n"
    )
    monkeypatch.setattr("sys.prefix", str(tmp_path / "venv"))
    monkeypatch.setattr(venv, "TEST_LOCK", lock)
    (tmp_path / "venv/bin").mkdir(parents=True)
    set_pip(tmp_path / "venv", "install")
    return tmp_path / "venv"


def set_pip(environment: Path, works: str) -> None:
    """Have a pip that installs something if *works* is among its arguments, and says in any case that it did."""
    python = environment / "bin/python"
    site = sysconfig.get_path("purelib", "venv", {"base": str(environment)})
    python.write_text(PIP.format(folder=environment.parent, site=site, works=works))
    python.chmod(0o755)


def calls(environment: Path) -> list[str]:
    return (environment.parent / "log").read_text().splitlines()


def test_test_packages_go_into_a_virtual_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.prefix", "/usr")
    monkeypatch.setattr("sys.base_prefix", "/usr")
    with pytest.raises(GeneratorError, match="virtual environment"):
        venv.ensure_test_packages(lambda _: None)


def test_test_packages_are_installed_once_for_each_lock(environment: Path) -> None:
    noted: list[str] = []
    for _ in range(2):
        venv.ensure_test_packages(noted.append)
    assert noted == ["installing requirements-test.lock"]
    (call,) = calls(environment)
    assert call.startswith("-I -m pip install ")
    assert {"--only-binary=:all:", "--require-hashes", "--no-deps"} <= set(call.split())
    assert call.endswith(f"--requirement {venv.TEST_LOCK}")
    venv.TEST_LOCK.write_text(venv.TEST_LOCK.read_text() + "# changed\n")
    venv.ensure_test_packages(noted.append)
    assert len(noted) == len(calls(environment)) == 2


def test_a_test_package_that_was_deleted_is_installed_again(environment: Path) -> None:
    venv.ensure_test_packages(lambda _: None)
    next(environment.glob("lib/*/site-packages/some_package/__init__.py")).unlink()
    set_pip(environment, "--force-reinstall")  # to pip, the package is still installed
    venv.ensure_test_packages(lambda _: None)
    assert ["--force-reinstall" in call for call in calls(environment)] == [False, False, True]
    assert list(environment.glob("lib/*/site-packages/some_package/__init__.py"))


def test_packages_that_pip_left_out_are_named_and_the_environment_is_not_stamped(environment: Path) -> None:
    set_pip(environment, "nothing")
    for _ in range(2):
        with pytest.raises(GeneratorError, match=rf"left Some_package out of {environment}, or not all of it$"):
            venv.ensure_test_packages(lambda _: None)
    assert not (environment / "requirements-test.lock").exists()


def test_a_python_without_ensurepip_is_told_what_it_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(venv, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(venv, "find_spec", lambda _: None)
    monkeypatch.setattr("sys.executable", "/usr/bin/python3")
    assert venv.set_up() == 2
    told = r"invokew: /usr/bin/python3\S* has no ensurepip: install Debian's python3\.\d+-venv, or set .*\n"
    assert re.fullmatch(told, capsys.readouterr().err)
    assert not (tmp_path / ".venv").exists()


def test_locks_hold_hashes_alone_and_agree() -> None:
    runtime, test = (
        dict(re.findall(r"^([\w.-]+)==(\S+) \\$", lock.read_text(), re.MULTILINE))
        for lock in (venv.LOCK, venv.TEST_LOCK)
    )
    assert {"invoke", "jinja2", "msgspec", "zopfli"} <= runtime.keys()
    assert all(test[name] == runtime[name] for name in runtime.keys() & test.keys())
    assert "hivex" not in runtime.keys() | test.keys()
    for lock in (venv.LOCK, venv.TEST_LOCK):
        assert "://" not in lock.read_text()
