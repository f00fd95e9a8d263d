# SPDX-License-Identifier: Apache-2.0
"""What winscratch needs from the machine it runs on: Python packages, Debian's packages, tests and checkers."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).absolute().parents[2]


def run(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None, held: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """Run *command* and return how it ended; the descriptors *held* stay open in it, and so do their locks.

    A program that is not there ends with status 127, as in a shell.
    """
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
            pass_fds=held,
        )
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def last_error(done: subprocess.CompletedProcess[str], mark: str) -> str:
    """Return the last line that *done* wrote after *mark*, or the last of all, or its exit status."""
    lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    marked = [line.removeprefix(mark) for line in lines if line.startswith(mark)]
    return (marked or lines or [f"exit status {done.returncode}"])[-1]


def in_ci() -> bool:
    """Tell whether a continuous integration runs this, where a skipped test would go unseen."""
    return os.environ.get("CI") == "true"
