# SPDX-License-Identifier: Apache-2.0
"""What tests share."""

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

from generator import machine
from generator.base import process
from generator.builder import choose, wire
from generator.machine import debian

from . import counts

# Plain invoke on this checkout, from whatever directory.
INVOKE = [sys.executable, "-P", "-m", "invoke", "--search-root", str(wire.ROOT)]

HANG = 300  # seconds after which a wait counts as hung; tests assert an order of events, never a speed

BUILDER = "builtin"  # the engine for tests that take any: it is always there


def need(program: str) -> str:
    """Return the path of *program*; without it skip the test, but fail it in CI, where a skip would go unseen."""
    found = debian.find(program)
    if found is None:
        lack(f"there is no {program} on this machine")
    if program == "go" and (reason := debian.go_is_too_old(found)):
        lack(reason)
    return found


def lack(reason: str) -> NoReturn:
    """End the test for want of something outside the project: skipped, or failed in CI."""
    if machine.in_ci():
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
    """Return the engine *name*; without it end the test as lack() does."""
    try:
        return choose.select(name, lambda _: None)
    except process.EngineError as error:
        lack(str(error))


def wait_until(question: Callable[[], object]) -> None:
    """Ask *question* until its answer is true; fail after HANG seconds."""
    end = time.monotonic() + HANG
    while not question():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def serve(config: Path, log: Path) -> "subprocess.Popen[bytes]":
    """Start Debian's registry, without the variables REGISTRY_… which it would take for settings of its own."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    with log.open("wb") as said:
        return subprocess.Popen([need("docker-registry"), "serve", config], env=env, stdout=said, stderr=said)


def extract(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack an *archive* of the tests' own; Python has filters from 3.11.4 on, and warns without one from 3.12 on."""
    if hasattr(tarfile, "data_filter"):
        archive.extractall(folder, filter="data")
    else:
        archive.extractall(folder)  # noqa: S202


def group_members(group: int) -> list[int]:
    """Return the living processes of a process group."""
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
    """A program of the tests' own on PATH; it notes its process number and its arguments."""

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
        """Its arguments, call by call."""
        return [line.partition(" ")[2] for line in self._log.read_text().splitlines()]

    @property
    def hung(self) -> int:
        """How often its script has called the shell function `hang`, which never ends."""
        return self._hung.stat().st_size

    @property
    def processes(self) -> list[int]:
        """The living ones, with their children."""
        return [pid for line in self._log.read_text().splitlines() for pid in group_members(int(line.split()[0]))]
