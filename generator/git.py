# SPDX-License-Identifier: Apache-2.0
"""Questions to git about this project's own checkout. A stranger's tree is not asked about here."""

import os
import subprocess
from pathlib import Path
from typing import IO

SECONDS = 30  # for git to answer


def git(root: Path, *arguments: str, stdin: str = "", good: tuple[int, ...] = (0,)) -> str | None:
    """Return what git says of the checkout *root*, or None where that is none, or git is not here or cannot say.

    *good* are the exit statuses of an answer. Nothing of the caller's environment makes git look at another
    repository, and no hook or monitor is run.
    """
    said = git_bytes(root, *arguments, stdin=stdin, good=good)
    return None if said is None else os.fsdecode(said)


def git_bytes(
    root: Path, *arguments: str, stdin: str = "", good: tuple[int, ...] = (0,), to: IO[bytes] | None = None
) -> bytes | None:
    """Return what git says as it says it, as git() does; nothing of it, but b"", if it is written to the file *to*."""
    if not (root / ".git").exists():
        return None
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env=environment | {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"},
            input=os.fsencode(stdin),
            stdout=to or subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
            timeout=SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout or b"") if done.returncode in good else None
