# SPDX-License-Identifier: Apache-2.0
"""Run commands that need a checkout of winscratch with that checkout's own code."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ..base.console import note
from ..base.errors import GeneratorError

# Files that identify a checkout, and that it runs.
_MARKS = ("invokew", "tasks.py", "generator/__main__.py", "generator/layers", "templates")
# For systems without a POSIX shell, which invokew needs.
_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from generator.__main__ import main; sys.exit(main())"


def run(words: Sequence[str]) -> int:
    """Run *words* in the checkout at or above the current folder, and print its path; return its exit status.

    Raises GeneratorError if no checkout is found, or if it belongs to another user, whose code must not run as ours.
    """
    here = Path.cwd()
    root = next((f for f in (here, *here.parents) if all((f / mark).exists() for mark in _MARKS)), None)
    if root is None:
        raise GeneratorError(f"{words[0]}: not in a checkout of winscratch; hint: clone it, and run the command there")
    for path in (root, *(root / mark for mark in _MARKS)):
        if os.name == "posix" and path.stat().st_uid not in {os.geteuid(), 0}:
            raise GeneratorError(f"{path}: belongs to another user, so its code is not run; hint: chown {path}")
    note(f"running the code of the checkout {root}")
    if os.name == "posix":
        program = str(root / "invokew")
        sys.stdout.flush()
        os.execv(program, [program, *words])  # noqa: S606 - no shell is wanted
    return subprocess.run([sys.executable, "-P", "-c", _START, str(root), *words], check=False).returncode
