# SPDX-License-Identifier: Apache-2.0
"""Commands that work on a checkout of winscratch, run by that checkout's own code."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..base.console import note
from ..base.errors import GeneratorError

# What makes a folder a checkout of ours, and what of it is run.
_MARKS = ("invokew", "tasks.py", "generator/__main__.py", "generator/layers", "templates")
# For a system without the shell that invokew is written for.
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from generator.__main__ import main; sys.exit(main())"


def run(words: Sequence[str]) -> int:
    """Give *words* to the checkout that the current folder is in or below, after saying so; return its exit status.

    Raises GeneratorError where there is none, and where it is another user's, whose code must not run as ours.
    """
    root = _find(Path.cwd())
    if root is None:
        raise GeneratorError(f"{words[0]}: works in a checkout of winscratch; change to one, or clone it first")
    for path in (root, *(root / mark for mark in _MARKS)):
        if not _is_trusted(path):
            raise GeneratorError(f"{path}: belongs to another user, so its code is not run; see that you trust it")
    note(f"running the code of the checkout {root}")
    if os.name == "posix":
        program = str(root / "invokew")
        sys.stdout.flush()
        os.execv(program, [program, *words])  # noqa: S606 - no shell is wanted
    return subprocess.run([sys.executable, "-P", "-c", _START, str(root), *words], check=False).returncode


def _find(folder: Path) -> Path | None:
    return next((f for f in (folder, *folder.parents) if all((f / mark).exists() for mark in _MARKS)), None)


def _is_trusted(path: Path) -> bool:
    """Tell whether *path* is this user's or root's, where users are told apart."""
    return os.name != "posix" or path.stat().st_uid in {os.geteuid(), 0}
