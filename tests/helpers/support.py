# SPDX-License-Identifier: Apache-2.0
"""Helpers for all tests: optional programs and packages, waiting, stand-in programs."""

import importlib
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import tooling
from tooling import debian

from generator.base import process
from generator.builder import choose, wire

from . import counts

# Plain Invoke on this checkout, from any directory.
INVOKE = [sys.executable, "-P", "-m", "invoke", "--search-root", str(wire.ROOT)]
# What ./invokew runs once .venv is complete: tasks by Invoke, all other commands by the program.
START = (
    "import sys; sys.path.append(sys.argv[1]); from generator.__main__ import tasks; "
    "sys.exit(tasks(sys.argv[1], sys.argv[2:]))"
)
INVOKEW = [sys.executable, "-P", "-c", START, str(wire.ROOT)]

HANG = 300  # seconds after which a wait counts as hung

BUILDER = "builtin"  # the engine for tests that work with any: always available


def need(program: str) -> str:
    """Return the path of *program*; if it is missing, skip the test, but fail it under CI=true."""
    found = debian.find(program)
    if found is None:
        lack(f"{program} not found")
    if program == "go" and (reason := debian.go_is_too_old(found)):
        lack(reason)
    return found


def lack(reason: str) -> NoReturn:
    """Skip the test for *reason*, something missing outside the project; fail it under CI=true."""
    if tooling.in_ci():
        pytest.fail(reason)
    pytest.skip(reason)


def need_package(name: str) -> Any:
    """Import and return a module of requirements-thorough.lock; without it skip the test, but fail a thorough run."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        if counts.THOROUGH:
            lack(f"{name} is not installed")
        pytest.skip("needs requirements-thorough.lock; hint: ./invokew test --thorough")


def selected(name: str) -> choose.Engine:
    """Return the engine *name*; if it is not available, end the test as lack() does."""
    try:
        return choose.select(name, lambda _: None)
    except process.EngineError as error:
        lack(str(error))


def wait_until(question: Callable[[], object]) -> None:
    """Call *question* until it returns true; fail after HANG seconds."""
    end = time.monotonic() + HANG
    while not question():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.02)


def serve(config: Path, log: Path) -> "subprocess.Popen[bytes]":
    """Start Debian's registry, without REGISTRY_ variables, which would override its configuration."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    with log.open("wb") as said:
        return subprocess.Popen([need("docker-registry"), "serve", config], env=env, stdout=said, stderr=said)


def extract(archive: tarfile.TarFile, folder: Path) -> None:
    """Extract a trusted *archive*, with a filter if this Python has them (3.11.4); 3.12 warns without one."""
    if hasattr(tarfile, "data_filter"):
        archive.extractall(folder, filter="data")
    else:
        archive.extractall(folder)  # noqa: S202


def group_members(group: int) -> list[int]:
    """Return the process numbers of a process group, without zombies."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


class StandIn:
    """A shell script on PATH that logs its process number and arguments."""

    def __init__(self, folder: Path, name: str, script: str) -> None:
        self.path = folder / name
        self._log = folder / f"{name}.log"
        self._hung = folder / f"{name}.hung"
        for log in (self._log, self._hung):
            log.touch()
        hang = f"hang() {{ echo >>{self._hung}; exec sleep infinity; }}"
        self.path.write_text(f'#!/bin/sh\n{hang}\necho "$$ $*" >>{self._log}\n{script}\n')
        self.path.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """Arguments of each call."""
        return [line.partition(" ")[2] for line in self._log.read_text().splitlines()]

    @property
    def hung(self) -> int:
        """Number of calls of the shell function `hang`, which never returns."""
        return self._hung.stat().st_size

    @property
    def processes(self) -> list[int]:
        """Process numbers of its running processes and their children."""
        return [pid for line in self._log.read_text().splitlines() for pid in group_members(int(line.split()[0]))]
