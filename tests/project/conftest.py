# SPDX-License-Identifier: Apache-2.0
"""Copies of what invokew needs, set up once or never."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from helpers.invokew_runs import LOCK, Project


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
