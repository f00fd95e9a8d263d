# SPDX-License-Identifier: Apache-2.0
"""Fixtures for several test files, and the summary of skipped tests."""

import contextlib
import functools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from helpers.counts import count
from helpers.support import BUILDER, HANG, StandIn, wait_until
from helpers.vendoring import commit, git
from hypothesis import HealthCheck, settings
from jinja2 import BytecodeCache
from jinja2.bccache import Bucket
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tooling import testing

import generator.base.git
from generator.base.errors import GeneratorError
from generator.builder import choose, container, native
from generator.builder.wire import ROOT
from generator.generation import pipeline
from generator.languages import render
from generator.languages.table import LANGUAGES
from generator.report.report import documents
from generator.vendoring import gitignore

PROGRAM_SECONDS = 900  # less than a test may take as a whole


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a table of skipped tests and the command that installs missing programs."""
    reports = terminalreporter.stats.get("skipped", [])
    table = testing.skipped(str(report.longrepr[2]).removeprefix("Skipped: ") for report in reports)
    if table:
        terminalreporter.section("skipped")
        for line in table:
            terminalreporter.write_line(line)


# No deadline for examples: tests must pass on slow machines.
settings.register_profile(
    "tests", deadline=None, max_examples=count(20, 100), suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


@pytest.fixture(autouse=True, scope="session")
def _every_program_ends() -> Iterator[None]:
    """Give every subprocess.run() a timeout unless the test sets one; lengthen the program's short timeouts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess, "run", functools.partial(subprocess.run, timeout=PROGRAM_SECONDS))
        for module in (choose, container, generator.base.git, gitignore, native):
            for name in {"ANSWER_SECONDS", "AUTO_SECONDS", "PROBE_SECONDS", "SECONDS", "_SECONDS"} & {*vars(module)}:
                patch.setattr(module, name, HANG)
        yield


class _Compiled(BytecodeCache):
    """Keeps compiled templates by name and text, since tests render the same ones in many folders."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, object], Any] = {}

    def get_cache_key(self, name: str, filename: str | None = None) -> str:  # noqa: ARG002 - Jinja's signature
        return name

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._known.get((bucket.key, bucket.checksum, bucket.environment.autoescape))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._known[bucket.key, bucket.checksum, bucket.environment.autoescape] = bucket.code


@pytest.fixture(autouse=True, scope="session")
def _templates_are_compiled_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        environment = functools.partial(ImmutableSandboxedEnvironment, bytecode_cache=_Compiled())
        patch.setattr(render, "ImmutableSandboxedEnvironment", environment)
        yield


@pytest.fixture(autouse=True, scope="session")
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give programs that tests start temporary folders of their own, no registry credentials and no ignored SIGHUP.

    HOME stays if it is set: it holds the caches and settings of compilers and package managers.
    """
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it
    tmp_path_factory.getbasetemp()  # outside of the folder that is removed at the end
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
    # If output/ is stale, only the test of that fails, not every test that uses this copy.
    with contextlib.suppress(GeneratorError):
        pipeline.generate(copy, documents, pipeline.GenerateOptions(BUILDER), say=lambda _: None, note=lambda _: None)
    return copy


@pytest.fixture
def tree(_checkout: Path, tmp_path: Path) -> Path:
    """Return a copy of this checkout that a test may change: inputs, and a fresh output/."""
    return Path(shutil.copytree(_checkout, tmp_path / "tree"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Change to an empty directory and return it."""
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Unset WINSCRATCH_ variables, and fail the test if it leaves temporary files."""
    for name in ("ENGINE", "TIMEOUT", "BASE_IMAGE", "BUILD_NETWORK"):
        monkeypatch.delenv(f"WINSCRATCH_{name}", raising=False)
    temporary = tmp_path / "TMPDIR"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    yield
    assert list(temporary.iterdir()) == []


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], StandIn]]:
    """Return a function that puts a shell script first on PATH; fail the test if its processes remain."""
    folder = tmp_path / "stand-ins"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    made: list[StandIn] = []

    def make(name: str, script: str) -> StandIn:
        made.append(StandIn(folder, name, script))
        return made[-1]

    yield make
    wait_until(lambda: not any(one.processes for one in made))  # killed processes take a while to disappear


@pytest.fixture(scope="session")
def toolchain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Git repository with this checkout's files, for tests to clone."""
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
    """Return a winscratch with other templates, whose copies are outdated for this one."""
    root = tmp_path / "older"
    shutil.copytree(toolchain, root, ignore=shutil.ignore_patterns(".git"))
    for template in (root / "templates").rglob("module.*"):
        mark = LANGUAGES[template.parent.name].comment
        template.write_text(template.read_text("utf-8") + f"{mark} older\n", "utf-8")
    return root


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test if it selects an engine."""

    def select(*_: object) -> NoReturn:
        raise AssertionError("an engine was selected")

    monkeypatch.setattr(choose, "select", select)
