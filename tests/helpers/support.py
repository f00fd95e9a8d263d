# SPDX-License-Identifier: Apache-2.0
"""Helpers of all tests: required programs, waiting, stand-ins on PATH."""

import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from generator import machine
from generator.base import process
from generator.builder import choose, wire
from generator.machine import debian

# Plain invoke on this checkout, from whatever directory.
INVOKE = [sys.executable, "-P", "-m", "invoke", "--search-root", str(wire.ROOT)]

HANG = 300  # seconds after which a wait counts as hung; tests assert an order of events, never a speed

BUILDER = "builtin"  # the engine for tests that take any: it is always there


def need(program: str) -> str:
    """Return the path of *program*; if it is missing, skip the test, or fail it in CI."""
    found = debian.find(program)
    if found is None:
        lack(f"there is no {program} on this machine")
    if program == "go" and (reason := debian.go_is_too_old(found)):
        lack(reason)
    return found


def lack(reason: str) -> NoReturn:
    """Skip the test, or fail it in CI, since something outside the project is missing."""
    if machine.in_ci():
        pytest.fail(reason)
    pytest.skip(reason)


def selected(name: str) -> choose.Engine:
    """Return the engine *name*; if it does not work, end the test like lack()."""
    try:
        return choose.select(name, lambda _: None)
    except process.EngineError as error:
        lack(str(error))


def wait_until(question: Callable[[], object]) -> None:
    """Call *question* until it returns true; fail after HANG seconds."""
    end = time.monotonic() + HANG
    while not question():
        assert time.monotonic() < end, "timeout"
        time.sleep(0.02)


def serve(config: Path, log: Path) -> "subprocess.Popen[bytes]":
    """Start Debian's registry without the variables REGISTRY_…, which would change its settings."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    with log.open("wb") as said:
        return subprocess.Popen([need("docker-registry"), "serve", config], env=env, stdout=said, stderr=said)


def extract(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack a trusted *archive*; Python has filters since 3.11.4, and warns without one since 3.12."""
    if hasattr(tarfile, "data_filter"):
        archive.extractall(folder, filter="data")
    else:
        archive.extractall(folder)  # noqa: S202


def group_members(group: int) -> list[int]:
    """Return the live processes of a process group."""
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
    """A shell script on PATH in place of a program; it logs its process id and arguments."""

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
        """The number of calls of the shell function `hang`, which never ends."""
        return self._hung.stat().st_size

    @property
    def processes(self) -> list[int]:
        """The live processes of the script and their children."""
        return [pid for line in self._log.read_text().splitlines() for pid in group_members(int(line.split()[0]))]
