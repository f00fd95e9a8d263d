# SPDX-License-Identifier: Apache-2.0
"""invokew, run for real in copies of what it needs."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from helpers.counts import slow, thorough
from helpers.hostile_tree import SETTINGS, HostileTree
from helpers.invokew_runs import LOCK, Project, told_once
from helpers.support import HANG, need

SET_UP = "sets up .venv once more"


@pytest.fixture(scope="session")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The user's environment without what steers invokew or another Python."""
    kept = {name: value for name, value in os.environ.items() if not re.match("WINSCRATCH|PYTHON|INVOKE|VIRTUAL", name)}
    return {**kept, "HOME": str(tmp_path_factory.mktemp("home")), "WINSCRATCH_PYTHON": sys.executable}


@pytest.fixture(scope="session")
def small_lock() -> str:
    """The part of requirements.lock that invokew cannot do without."""
    found = re.search(r"^invoke==[^\n]*(\n +--hash[^\n]*)*\n", LOCK.read_text(), re.MULTILINE)
    assert found
    return found[0]


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory, small_lock: str) -> dict[str, str]:
    """Settings that make pip install the small lock without a network."""
    folder = tmp_path_factory.mktemp("index")
    lock = folder / "small.lock"
    lock.write_text(small_lock)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "-r", str(lock)]
    subprocess.run([*command, "--dest", str(folder)], check=True)
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}


@pytest.fixture
def project(tmp_path: Path, small_lock: str, index: Mapping[str, str], env: Mapping[str, str]) -> Project:
    """A project that was never used, with the small lock."""
    return Project(tmp_path / "project", small_lock, {**env, **index})


@pytest.fixture(scope="session")
def small_venv(
    tmp_path_factory: pytest.TempPathFactory, small_lock: str, index: Mapping[str, str], env: Mapping[str, str]
) -> Path:
    """A .venv made from the small lock; not to be changed."""
    project = Project(tmp_path_factory.mktemp("small") / "project", small_lock, {**env, **index})
    project.tell()
    return project.root / ".venv"


@pytest.fixture
def with_venv(project: Project, small_venv: Path) -> Project:
    """A project whose .venv is made."""
    shutil.copytree(small_venv, project.root / ".venv", symlinks=True)
    return project


@pytest.fixture(scope="session")
def used(tmp_path_factory: pytest.TempPathFactory, env: Mapping[str, str]) -> Project:
    """A project with the real lock and an awkward name, used once; not to be changed."""
    project = Project(tmp_path_factory.mktemp("used") / "Größe $1 'a b'", LOCK.read_text(), env)
    done = project.run("load")
    assert (done.returncode, done.stdout) == (0, "loaded\n"), done.stderr
    assert done.stderr == "invokew: setting up .venv\ninvokew: installing requirements.lock\n"
    return project


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
@pytest.mark.parametrize(
    "setting", ["HOME=/no", "PATH=.", *map(slow, ["PLATLIBDIR=x", "UTF8=x", "HASHSEED=x", "INSPECT=1"])]
)
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
# Repairs


@thorough(SET_UP)
def test_package_with_another_hash_is_refused_and_the_next_run_repairs(project: Project, small_lock: str) -> None:
    lock = project.root / "requirements.lock"
    lock.write_text(re.sub(r"sha256:\w{4}", "sha256:0000", small_lock))
    assert re.match(r"invokew: requirements.lock: cannot be installed: .* HASHES ", told_once(project.run("tell")))
    lock.write_text(small_lock)
    project.tell()


@thorough(SET_UP)
def test_missing_network_is_one_line(project: Project) -> None:
    # Nothing listens on the discard port.
    failed = project.run("tell", PIP_NO_INDEX="0", PIP_FIND_LINKS="", PIP_INDEX_URL="http://127.0.0.1:9/simple")
    assert told_once(failed).endswith("requirements.lock: cannot be installed: the package index cannot be reached")


@thorough(SET_UP)
def test_pip_variables_that_redirect_an_installation_are_unset(project: Project) -> None:
    astray = str(project.root / "astray")
    settings = {"TARGET": astray, "PREFIX": astray, "ROOT": astray, "DRY_RUN": "1", "PYTHON": "/bin/false", "USER": "1"}
    project.env |= {f"PIP_{name}": value for name, value in settings.items()}
    project.tell()
    assert project.run("tell").stderr == ""
    assert not (project.root / "astray").exists()


@thorough(SET_UP)
def test_a_pip_file_that_redirects_an_installation_is_one_line(project: Project) -> None:
    (project.root / "pip.conf").write_text(f"[global]\ntarget = {project.root / 'astray'}\n")
    error = told_once(project.run("tell", PIP_CONFIG_FILE=str(project.root / "pip.conf")))
    assert error.startswith("invokew: requirements.lock: pip installed it elsewhere or incompletely; hint: ")
    project.tell()


@thorough(SET_UP)
def test_pips_file_may_say_where_packages_come_from(project: Project) -> None:
    links = project.env.pop("PIP_FIND_LINKS")
    lines = ["[global]", "find-links = /nowhere", "index-url = http://127.0.0.1:9/simple", "[install]"]
    (project.root / "pip.conf").write_text("\n".join([*lines, f"find-links = {links}"]))
    project.tell(PIP_CONFIG_FILE=str(project.root / "pip.conf"))


@thorough(SET_UP)
def test_a_package_without_a_wheel_is_not_built(project: Project, small_lock: str) -> None:
    (project.root / "links/some-1").mkdir(parents=True)
    (project.root / "links/some-1/setup.py").write_text(f"open({str(project.root / 'built')!r}, 'w')")
    sdist = Path(shutil.make_archive(str(project.root / "links/some-1"), "gztar", project.root / "links", "some-1"))
    line = f"some==1 \\\n    --hash=sha256:{hashlib.sha256(sdist.read_bytes()).hexdigest()}\n"
    (project.root / "requirements.lock").write_text(small_lock + line)
    links = f"{project.env['PIP_FIND_LINKS']} {project.root / 'links'}"
    told = told_once(project.run("tell", PIP_FIND_LINKS=links))
    assert told.endswith("No matching distribution found for some==1")
    assert not (project.root / "built").exists()


def test_killed_first_use_is_repaired_by_the_next(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as index:  # which never answers
        url = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        env = project.env | {"PIP_NO_INDEX": "0", "PIP_INDEX_URL": url, "PIP_TIMEOUT": "9999"}
        killed = subprocess.Popen(
            ["./invokew", "tell"], cwd=project.root, env=env, stderr=subprocess.DEVNULL, start_new_session=True
        )
        index.settimeout(HANG)
        with index.accept()[0]:
            os.killpg(killed.pid, signal.SIGKILL)
            killed.wait()
    assert (project.root / ".venv/bin/python").exists()
    assert not (project.root / ".venv/requirements.lock").exists()
    project.tell()


@thorough(SET_UP)
def test_two_first_uses_at_once_share_one_set_up(project: Project) -> None:
    both = [
        subprocess.Popen(
            ["./invokew", "tell"], cwd=project.root, env=project.env, text=True, stdout=-1, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    told = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert "".join(told).count("setting up .venv") == 1


def test_changed_lock_is_installed_anew(with_venv: Project, small_lock: str) -> None:
    (with_venv.root / "requirements.lock").write_text(f"# changed\n{small_lock}")
    assert "setting up .venv" in with_venv.run("tell").stderr
    assert with_venv.run("tell").stderr == ""


@thorough(SET_UP)
def test_venv_whose_interpreter_vanished_is_made_anew(with_venv: Project) -> None:
    interpreter = next((with_venv.root / ".venv/bin").glob("python3.*"))
    interpreter.unlink()
    interpreter.symlink_to("/nowhere/python3")
    assert "setting up .venv" in with_venv.run("tell").stderr
    assert with_venv.run("tell").stderr == ""


def test_missing_lock_is_one_line(project: Project) -> None:
    (project.root / "requirements.lock").unlink()
    assert "requirements.lock" in told_once(project.run("tell"))


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
