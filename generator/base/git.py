# SPDX-License-Identifier: Apache-2.0
"""Questions to git about this project's own checkout. A stranger's tree is not asked about here."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO

SECONDS = 30  # for git to answer


def git(
    root: Path,
    *arguments: str,
    stdin: str = "",
    good: tuple[int, ...] = (0,),
    environment: Mapping[str, str] | None = None,
) -> str | None:
    """Return what git says of the checkout *root*, or None where that is none, or git is not here or cannot say.

    *good* are the exit statuses of an answer; *environment* has variables to add. Nothing of the caller's environment
    makes git look at another repository, and no hook or monitor is run.
    """
    said = git_bytes(root, *arguments, stdin=stdin, good=good, environment=environment)
    return None if said is None else os.fsdecode(said)


def git_bytes(
    root: Path,
    *arguments: str,
    stdin: str = "",
    good: tuple[int, ...] = (0,),
    environment: Mapping[str, str] | None = None,
    to: IO[bytes] | None = None,
) -> bytes | None:
    """Return git's output as bytes, as git() does; b"" if it is written to the file *to*."""
    if not (root / ".git").exists():
        return None
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    own = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=root,
            env=kept | own | dict(environment or {}),
            input=os.fsencode(stdin),
            stdout=to or subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
            timeout=SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout or b"") if done.returncode in good else None
