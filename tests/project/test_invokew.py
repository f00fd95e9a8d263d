# SPDX-License-Identifier: Apache-2.0
"""invokew, run for real in copies of what it needs."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.counts import slow, thorough
from helpers.hostile_tree import SETTINGS, HostileTree
from helpers.invokew_runs import Project, told_once
from helpers.support import HANG, need

SET_UP = "sets up .venv once more"


# ---------------------------------------------------------------------------------------------
# First and second use


@thorough(SET_UP)
def test_set_up_asks_nobody_for_an_engine_or_a_right(project: Project) -> None:
    for name in ("docker", "podman", "sudo", "apt-get"):
        project.stand_in(name, f"touch '{project.root}/asked'")
    done = project.run("tell")
    assert (done.returncode, done.stderr) == (0, "invokew: setting up .venv\ninvokew: installing requirements.lock\n")
    assert not (project.root / "asked").exists()


@pytest.mark.parametrize("shell", ["dash", slow("busybox sh", SET_UP), slow("bash", SET_UP)])
def test_any_shell_sets_up_on_first_use_and_is_silent_on_the_second(project: Project, shell: str) -> None:
    name, *words = shell.split()
    program = (need(name), *words, "./invokew")
    first = project.run("tell", program=program)
    assert first.returncode == 0
    assert json.loads(first.stdout)["prefix"] == str(project.root / ".venv")
    second = project.run("tell", program=program)
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")


@pytest.mark.program
def test_real_lock_holds_what_the_generator_imports(used: Project) -> None:
    done = used.run("load")
    assert (done.returncode, done.stdout, done.stderr) == (0, "loaded\n", "")


def test_second_use_starts_no_process_but_cmp_and_python(used: Project) -> None:
    strace = need("strace")
    done = used.run("--version", program=(strace, "-f", "-e", "trace=execve", "./invokew"))
    started = [Path(name).name for name in re.findall(r'execve\("([^"]*)"[^\n]*= 0', done.stderr)]
    assert started == ["invokew", "cmp", "python"]


@pytest.mark.program
def test_arguments_are_handed_on_unchanged(used: Project) -> None:
    arguments = ["--text", " a  b\n\"c' $HOME `id` \\n *", "--more", ""]
    told = used.tell(*arguments)
    assert told["argv"] == ["tell", *arguments]
    assert (told["text"], told["more"]) == (arguments[1], "")


@pytest.mark.program
def test_working_directory_is_kept(used: Project, tmp_path: Path) -> None:
    assert used.tell(program=[str(used.root / "invokew")], cwd=tmp_path)["cwd"] == str(tmp_path)
    up = os.path.relpath(used.root / "invokew", tmp_path)
    assert used.tell(program=[up], cwd=tmp_path)["cwd"] == str(tmp_path)
    assert used.tell(program=["sh", "invokew"])["cwd"] == str(used.root)


def test_symbolic_links_lead_to_the_project(used: Project, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "absolute").symlink_to(used.root / "invokew")
    (tmp_path / "bin/relative").symlink_to("../absolute")
    for link in ("absolute", "bin/relative"):
        assert used.tell(program=[str(tmp_path / link)], cwd=tmp_path)["prefix"] == str(used.root / ".venv")


def test_modules_in_the_working_directory_do_not_stand_in_for_our_own(used: Project, tmp_path: Path) -> None:
    for name in ("invoke", "json", "generator", "tasks"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')")
    assert used.tell(program=[str(used.root / "invokew")], cwd=tmp_path)["cwd"] == str(tmp_path)


@thorough(SET_UP)
def test_nothing_of_a_hostile_working_directory_runs(project: Project, tmp_path: Path) -> None:
    hostile = HostileTree(tmp_path / "hostile", tmp_path / "marks")
    (hostile.root / "link").symlink_to("../project/invokew")
    settings = SETTINGS | {"PATH": f".::bin:{project.env['PATH']}:", "XDG_CACHE_HOME": "cache"}
    del project.env["WINSCRATCH_PYTHON"]
    for program in (str(project.root / "invokew"), "../project/invokew", "./link"):  # the first sets up
        told = project.tell(program=["/bin/sh", program], cwd=hostile.root, **settings)
        assert hostile.executed() == []
        assert (told["cwd"], told["prefix"]) == (str(hostile.root), str(project.root / ".venv"))


@thorough(SET_UP)
@pytest.mark.parametrize("setting", ["PIP_CACHE_DIR", slow("XDG_CACHE_HOME", SET_UP)])
def test_no_package_comes_from_a_cache_in_the_working_directory(project: Project, tmp_path: Path, setting: str) -> None:
    from pip._internal.cache import SimpleWheelCache
    from pip._internal.models.link import Link

    (wheel,) = Path(project.env["PIP_FIND_LINKS"]).glob("invoke-*.whl")
    cache = tmp_path / "hostile/cache" / ("pip" if setting == "XDG_CACHE_HOME" else "")
    wheels = SimpleWheelCache.__new__(SimpleWheelCache)  # pip 23.0's wants a format control, and newer ones none
    wheels.cache_dir = str(cache)
    poisoned = Path(wheels.get_path_for_link(Link(wheel.as_uri())))
    poisoned.mkdir(parents=True)
    hashes = {"sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()}
    (poisoned / "origin.json").write_text(json.dumps({"url": wheel.as_uri(), "archive_info": {"hashes": hashes}}))
    shutil.copy(wheel, poisoned)
    with zipfile.ZipFile(poisoned / wheel.name, "a") as archive:
        archive.writestr("invoke_startup.pth", f"import os; open({str(tmp_path / 'executed')!r}, 'w')\n")
    project.tell(program=[str(project.root / "invokew")], cwd=tmp_path / "hostile", **{setting: "cache"})
    assert not (tmp_path / "executed").exists()


@thorough(SET_UP)
@pytest.mark.parametrize("setting", ["HOME=/no", "PATH=.", "PLATLIBDIR=x", "UTF8=x", "HASHSEED=x", "INSPECT=1"])
def test_neither_pythons_settings_nor_modules_beside_invokew_have_a_say(project: Project, setting: str) -> None:
    for name in ("invoke", "json", "csv", "pip"):
        (project.root / f"{name}.py").write_text("raise SystemExit('the wrong module')")
    name, value = setting.split("=")
    for _ in range(2):  # the first use, which sets up, and the second
        settings: dict[str, Any] = {f"PYTHON{name}": value}
        assert project.tell(**settings)["cwd"] == str(project.root)


@pytest.mark.program
def test_a_tasks_exit_status_stays_and_that_of_wrong_use_is_2(used: Project) -> None:
    done = used.run("fail")
    assert (done.returncode, done.stderr) == (7, "as it was told\n")
    for words in (("--bogus",), ("tell", "--bogus"), ("tall",), ("tell", "--text"), ("--help", "tall")):
        done = used.run(*words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), words


@pytest.mark.program
def test_an_interruption_is_130(used: Project) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background would hand on none
    with subprocess.Popen(["./invokew", "sleep"], cwd=used.root, env=used.env, stdout=subprocess.PIPE) as process:
        limit = threading.Timer(HANG, process.kill)
        limit.start()
        assert process.stdout is not None
        assert process.stdout.readline() == b"asleep\n"
        process.send_signal(signal.SIGINT)
        process.wait()
        limit.cancel()
    signal.signal(signal.SIGINT, before)
    assert process.returncode == 130


# ---------------------------------------------------------------------------------------------
# Finding Python


@pytest.fixture
def bare_path(project: Project) -> Callable[[str], None]:
    """Leave only the programs that invokew itself starts on the project's PATH; add what looks like Pythons."""
    folder = project.root / "bare"
    folder.mkdir()
    for name in ("dirname", "readlink", "cmp", "env"):
        (folder / name).symlink_to(need(name))
    project.env["PATH"] = str(folder)
    del project.env["WINSCRATCH_PYTHON"]
    project.stand_in("python3", 'echo "shim: no version is set" >&2; exit 127')  # as pyenv's do
    project.stand_in("python3.13", "exit 1")  # as a Python that is too old answers
    return lambda name: project.stand_in(name, f'exec "{sys.executable}" "$@"')


@pytest.mark.usefixtures("bare_path")
def test_without_python_it_says_what_to_install(project: Project) -> None:
    line = told_once(project.run("tell", program=("/bin/sh", "./invokew")))
    assert line.startswith("invokew: Python 3.11 or later not found; hint: install python3 and python3-venv, or ")


def test_shims_and_old_pythons_are_passed_over(with_venv: Project, bare_path: Callable[[str], None]) -> None:
    bare_path("python3.12")
    with_venv.tell(program=("/bin/sh", "./invokew"))


def test_unsuitable_choice_of_python_is_one_line(project: Project) -> None:
    line = told_once(project.run("tell", WINSCRATCH_PYTHON="/bin/false"))
    assert line == "invokew: /bin/false: not Python 3.11 or later; hint: change WINSCRATCH_PYTHON"
