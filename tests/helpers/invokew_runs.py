# SPDX-License-Identifier: Apache-2.0
"""Copies of what invokew needs, and runs of it."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tooling import PROJECT

# What its tasks tell is compared with what they were given.
TASKS = """
import json, os, sys
from invoke import Exit, task

@task
def tell(c, text="", more=""):
    told = {"cwd": os.getcwd(), "argv": sys.argv[1:], "text": text, "more": more, "prefix": sys.prefix}
    print(json.dumps(told))

@task
def load(c):
    import jinja2, msgspec, zopfli.gzip
    print("loaded")

@task
def sleep(c):
    import signal
    print("asleep", flush=True)
    signal.pause()

@task
def fail(c):
    raise Exit("as it was told", code=7)
"""


LOCK = PROJECT / "requirements.lock"


class Project:
    """A copy of what invokew needs, and runs of it."""

    def __init__(self, root: Path, lock: str, env: Mapping[str, str]) -> None:
        self.root = root
        self.env = {**env}
        shutil.copytree(PROJECT / "generator", root / "generator", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(PROJECT / "invokew", root)
        (root / "tests/tooling").mkdir(parents=True)
        shutil.copy(PROJECT / "tests/tooling/venv.py", root / "tests/tooling")
        (root / "tasks.py").write_text(TASKS)
        (root / "requirements.lock").write_text(lock)

    def run(
        self,
        *arguments: str,
        program: Sequence[str] = ("./invokew",),
        cwd: Path | None = None,
        **env: str,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*program, *arguments],
            cwd=cwd or self.root,
            env={**self.env, **env},
            capture_output=True,
            text=True,
            check=False,
        )

    def tell(
        self, *arguments: str, program: Sequence[str] = ("./invokew",), cwd: Path | None = None, **env: str
    ) -> dict[str, object]:
        """Return what the task tell was given."""
        done = self.run("tell", *arguments, program=program, cwd=cwd, **env)
        assert done.returncode == 0, done.stderr
        told: dict[str, object] = json.loads(done.stdout)
        return told

    def stand_in(self, name: str, script: str) -> None:
        """Put a program called *name* first on PATH."""
        folder = self.root / "stand-ins"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
        if not self.env["PATH"].startswith(f"{folder}:"):
            self.env["PATH"] = f"{folder}:{self.env['PATH']}"


def told_once(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that *done* told the user when it ended with status 2, less its progress."""
    assert (done.returncode, done.stdout) == (2, "")
    lines = [line for line in done.stderr.splitlines() if not re.match("invokew: (setting up|installing)", line)]
    assert len(lines) == 1, done.stderr
    return lines[0]
