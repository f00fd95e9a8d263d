# SPDX-License-Identifier: Apache-2.0
"""Tools for developers: the virtual environment, the test run, Debian packages for tests, linters and formatters.

Not part of the installed package; tasks.py, conftest.py and tests import it as ``tooling``. Begin with testing.py.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).absolute().parents[2]


def run(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run *command* with captured output and return its result; status 127 if the program is missing."""
    try:
        return subprocess.run(
            command,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def last_error(done: subprocess.CompletedProcess[str], mark: str) -> str:
    """Return the last output line that starts with *mark*, without it; else the last line, else the exit status."""
    lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    marked = [line.removeprefix(mark) for line in lines if line.startswith(mark)]
    return (marked or lines or [f"exit status {done.returncode}"])[-1]


def in_ci() -> bool:
    """Return whether CI=true is set: a missing program then fails a test that would otherwise be skipped."""
    return os.environ.get("CI") == "true"
