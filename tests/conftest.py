# SPDX-License-Identifier: Apache-2.0
"""The fixtures that tests of several files start from."""

import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from helpers.support import BUILDER, HANG, StandIn, wait_until
from helpers.vendoring import commit, git
from hypothesis import HealthCheck, settings

import generator.base.git
from generator.base.errors import GeneratorError
from generator.builder import choose, container, native
from generator.builder.wire import ROOT
from generator.generation import pipeline
from generator.languages.table import LANGUAGES
from generator.machine import testing
from generator.report.report import documents
from generator.vendoring import gitignore

PROGRAM_SECONDS = 900  # less than a test may take as a whole


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with one table of what was skipped, and the command that would bring it."""
    reports = terminalreporter.stats.get("skipped", [])
    table = testing.skipped(str(report.longrepr[2]).removeprefix("Skipped: ") for report in reports)
    if table:
        terminalreporter.section("skipped")
        for line in table:
            terminalreporter.write_line(line)


# No deadline and no check of a speed: how long an example takes is the machine's business.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


@pytest.fixture(autouse=True, scope="session")
def _every_program_ends() -> Iterator[None]:
    """Give each program that is run and waited for a time limit, unless the test set one; lengthen our short ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "run", functools.partial(subprocess.run, timeout=PROGRAM_SECONDS))
        for module in (choose, container, generator.base.git, gitignore, native):
            for name in {"ANSWER_SECONDS", "AUTO_SECONDS", "PROBE_SECONDS", "SECONDS", "_SECONDS"} & {*vars(module)}:
                patch.setattr(module, name, HANG)
        yield


@pytest.fixture(autouse=True, scope="session")
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give programs that tests start folders of the tests' own, and no account of the user's at any registry.

    HOME stays if it is set: compilers and package managers keep there what they fetched, and where from.
    """
    tmp_path_factory.getbasetemp()  # not below the folder that is removed at the end
    with tempfile.TemporaryDirectory(prefix="winscratch-", ignore_cleanup_errors=True) as top:
        own = Path(top)
        for name in ("docker", "home", "run", "tmp"):
            (own / name).mkdir(mode=0o700)
        for path in (own / "auth.json", own / "docker/config.json"):
            path.write_text('{"auths": {}}')
        given = {
            "REGISTRY_AUTH_FILE": "auth.json",
            "DOCKER_CONFIG": "docker",
            "XDG_RUNTIME_DIR": "run",
            "TMPDIR": "tmp",
        }
        given |= {} if "HOME" in os.environ else {"HOME": "home"}
        with pytest.MonkeyPatch.context() as patch:
            for name, folder in given.items():
                patch.setenv(name, str(own / folder))
            patch.setattr(tempfile, "tempdir", None)
            yield


@pytest.fixture(scope="session")
def _checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("generator", "templates", "output"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (".gitignore", "Dockerfile.hivex", "requirements.lock", "tasks.py"):
        shutil.copy2(ROOT / name, copy / name)
    # Where output/ waits for `generate`, the one test that says so shall fail, not each that starts from here.
    with contextlib.suppress(GeneratorError):
        pipeline.generate(copy, documents, pipeline.GenerateOptions(BUILDER), say=lambda _: None, note=lambda _: None)
    return copy


@pytest.fixture
def tree(_checkout: Path, tmp_path: Path) -> Path:
    """Return a copy of this checkout that a test may change: what output/ is made from, and output/ fresh."""
    return Path(shutil.copytree(_checkout, tmp_path / "tree"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty directory with a plain name, and return it."""
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start from default settings, and fail the test if anything is left where temporary files go."""
    for name in ("ENGINE", "TIMEOUT", "BASE_IMAGE", "BUILD_NETWORK"):
        monkeypatch.delenv(f"WINSCRATCH_{name}", raising=False)
    temporary = tmp_path / "TMPDIR"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    yield
    assert list(temporary.iterdir()) == []


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], StandIn]]:
    """Put programs on PATH, in front; none of their processes may be left at the end."""
    folder = tmp_path / "stand-ins"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    made: list[StandIn] = []

    def make(name: str, script: str) -> StandIn:
        made.append(StandIn(folder, name, script))
        return made[-1]

    yield make
    wait_until(lambda: not any(one.processes for one in made))  # the kernel takes its time to kill


@pytest.fixture(scope="session")
def toolchain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of winscratch as it is now, that a test may clone or use as another version."""
    clone = tmp_path_factory.mktemp("winscratch")
    for name in ("LICENSES", "generator", "output", "templates"):
        shutil.copytree(ROOT / name, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":
            shutil.copy(path, clone)
    git(clone, "init", "-q")
    commit(clone)
    return clone


@pytest.fixture
def older(toolchain: Path, tmp_path: Path) -> Path:
    """A winscratch with other templates, so that what it makes is outdated here."""
    root = tmp_path / "older"
    shutil.copytree(toolchain, root, ignore=shutil.ignore_patterns(".git"))
    for template in (root / "templates").rglob("module.*"):
        mark = LANGUAGES[template.parent.name].comment
        template.write_text(template.read_text("utf-8") + f"{mark} older\n", "utf-8")
    return root


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if an engine is asked for."""

    def select(*_: object) -> NoReturn:
        raise AssertionError("an engine was asked for")

    monkeypatch.setattr(choose, "select", select)
