# SPDX-License-Identifier: Apache-2.0
"""invokew after what ended or misled its set-up, run for real in copies of what it needs."""

import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from helpers.counts import thorough
from helpers.invokew_runs import Project, told_once
from helpers.support import HANG

SET_UP = "sets up .venv once more"


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
