# SPDX-License-Identifier: Apache-2.0
"""Run git in this project's own checkout; not for untrusted repositories."""

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
    to: IO[bytes] | None = None,
) -> str | None:
    """Return the output of git in the checkout *root*; None without a repository or git, and if git fails.

    *good* are the exit statuses of success; *environment* holds variables to add. The output goes to the file *to* if
    one is given. The caller's GIT_ variables are removed, and no hook or monitor runs.
    """
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
    return os.fsdecode(done.stdout or b"") if done.returncode in good else None
