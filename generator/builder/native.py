# SPDX-License-Identifier: Apache-2.0
"""Run the hive builder with a Python of this machine that has hivex."""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..base import process
from ..base.process import Ended, EngineError, ProcessSpec, ProgressLine, error_line, run, why_it_failed
from ..hives.model import Hive
from .wire import BUILDER, FOREIGN_HIVEX, NO_HIVEX, ROOT, Built, encode_request, exchange

DEBIAN_PYTHON = "/usr/bin/python3"  # the one that Debian's hivex module supports


@dataclass(frozen=True)
class NativeEngine:
    """Run the builder with the Python at the path *python*, for at most *run_seconds*."""

    python: str
    run_seconds: int = process.RUN_SECONDS
    package: Path = ROOT / BUILDER
    name = "native"

    def build(self, hives: Mapping[str, Hive]) -> Built:
        """Return *hives* as built; raises EngineError."""
        return exchange(self.name, self.run, hives)

    def run(self, request: bytes) -> bytes:
        """Return the builder's response to *request*, both UTF-8 JSON; raises EngineError."""
        done = self.start(request, ProgressLine("building hives"))
        if done.status:
            raise EngineError(f"engine native: {why_it_failed(done.status, done.err, 'the hive builder')}")
        return done.out

    def start(self, request: bytes, line: ProgressLine | None = None) -> Ended:
        """Run the builder and return its exit status and output; raises EngineError if it cannot run."""
        # Settings for the user's Python must not reach this one.
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        program = ProcessSpec(
            [self.python, "-s", "-E", "-B", "-m", self.package.name],
            what=self.python,
            seconds=self.run_seconds,
            hint=process.LATE,
            env={**env, "LC_ALL": "C.UTF-8"},
            cwd=self.package.parent,
        )
        return run(program, request, line)


def find_python() -> str:
    """Return the first Python in which the builder can import hivex; raises EngineError."""
    tried = []
    for python in dict.fromkeys((sys.executable, DEBIAN_PYTHON, shutil.which("python3") or "python3")):
        try:
            done = NativeEngine(python, run_seconds=process.ANSWER_SECONDS).start(encode_request({}))
        except EngineError as error:
            tried.append(str(error))
            continue
        if done.status == 0:
            return python
        if done.status == FOREIGN_HIVEX:
            reason = error_line(done.err) or f"{python} imports a hivex other than the registry library"
            raise EngineError(f"native: {reason}")
        tried.append(python if done.status == NO_HIVEX else f"{python}: {error_line(done.err)}")
    raise EngineError(f"native: no Python with hivex found (tried {', '.join(tried)})")
