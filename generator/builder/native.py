# SPDX-License-Identifier: Apache-2.0
"""The hive builder run by a Python of this machine that has hivex."""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..base.process import (
    ANSWER_SECONDS,
    LATE,
    RUN_SECONDS,
    Ended,
    EngineError,
    Line,
    run,
    telling_line,
    why_it_failed,
)
from ..hives.model import Hive
from .wire import BUILDER, FOREIGN_HIVEX, NO_HIVEX, ROOT, Built, encode_request, exchange

DEBIAN_PYTHON = "/usr/bin/python3"  # the one Debian's hivex module is made for


@dataclass(frozen=True)
class NativeEngine:
    """Runs the builder with a Python of this machine; *python* is its path, *run_seconds* its time limit."""

    python: str
    run_seconds: int = RUN_SECONDS
    package: Path = ROOT / BUILDER
    name = "native"

    def build(self, hives: Mapping[str, Hive]) -> Built:
        """Return *hives* as the builder makes them; raise EngineError when it does not."""
        return exchange(self.name, self.run, hives)

    def run(self, request: bytes) -> bytes:
        """Return the builder's response to *request*, both UTF-8 JSON; raise EngineError when there is none."""
        done = self.start(request, Line("building hives"))
        if done.status:
            raise EngineError(f"engine native: {why_it_failed(done.status, done.err, 'the hive builder')}")
        return done.out

    def start(self, request: bytes, line: "Line | None" = None) -> "Ended":
        """Run the builder and return how it ended; raise EngineError when it cannot start or does not end."""
        # What the user set for other Pythons must not reach this one.
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return run(
            [self.python, "-s", "-E", "-B", "-m", self.package.name],
            what=self.python,
            seconds=self.run_seconds,
            hint=LATE,
            stdin=request,
            env={**env, "LC_ALL": "C.UTF-8"},
            cwd=self.package.parent,
            line=line,
        )


def find_python() -> str:
    """Return the first Python that imports the registry library, as the builder itself finds it."""
    tried = []
    for python in dict.fromkeys((sys.executable, DEBIAN_PYTHON, shutil.which("python3") or "python3")):
        try:
            done = NativeEngine(python, run_seconds=ANSWER_SECONDS).start(encode_request({}))
        except EngineError as error:
            tried.append(str(error))
            continue
        if done.status == 0:
            return python
        if done.status == FOREIGN_HIVEX:
            raise EngineError(telling_line(done.err) or f"{python} imports a hivex that is not the registry library")
        tried.append(python if done.status == NO_HIVEX else f"{python}: {telling_line(done.err)}")
    raise EngineError(f"no Python here imports hivex (tried {', '.join(tried)})")
