# SPDX-License-Identifier: Apache-2.0
"""A directory whose modules, packages and programs leave a mark when anything runs them."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path

from tooling import PROJECT

OWN = ("generator", "winscratch", "tasks", "hatch_build", "pip", "setuptools", "sitecustomize", "usercustomize")
PROGRAMS = ("bash", "cmp", "dirname", "env", "git", "mktemp", "python", "python3", "readlink", "rm")
FOLDERS = (".", "bin", "node_modules/.bin")  # PATH of settings() has each
# Settings of Python and pip that users have, each with a relative path.
SETTINGS = {
    "PYTHONHOME": ".",
    "PYTHONPATH": ".",
    "PYTHONPLATLIBDIR": ".",
    "PYTHONSTARTUP": "tasks/__init__.py",
    "PIP_CACHE_DIR": "cache",
    "PIP_CONFIG_FILE": "pip.conf",
    "PIP_PREFIX": "prefix",
    "PIP_PYTHON": "./python",
    "PIP_ROOT": "root",
    "PIP_TARGET": "target",
}


def packages() -> set[str]:
    """Return the import names of our own packages and of those that the lock files name."""
    locks = "".join((PROJECT / f"requirements{kind}.lock").read_text("utf-8") for kind in ("", "-release"))
    return {*OWN, *(name.replace("-", "_") for name in re.findall(r"^([\w.-]+)==", locks, re.MULTILINE))}


class HostileTree:
    """A hostile directory *root*; what runs from it leaves a file in *marks*, which lies outside it."""

    def __init__(self, root: Path, marks: Path) -> None:
        self.root = root
        self._marks = marks
        marks.mkdir()
        self.add_packages(".", packages())
        for name in sys.stdlib_module_names:
            (root / f"{name}.py").write_text(self._code(f"{name}.py"))
        for folder in FOLDERS:
            (root / folder).mkdir(parents=True, exist_ok=True)
            for name in (*PROGRAMS, *(f"python3.{minor}" for minor in range(11, 15))):
                self._add_program(root / folder / name)
        (root / "pip.conf").write_text("[global]\npython = ./python\ntarget = ./target\n")
        (root / "pyvenv.cfg").write_text("home = bin\ninclude-system-site-packages = true\n")

    def add_packages(self, folder: str, names: Iterable[str]) -> None:
        """Add packages below *folder* that can also be run with -m."""
        for name in names:
            (self.root / folder / name).mkdir(parents=True)
            for file in ("__init__.py", "__main__.py"):
                (self.root / folder / name / file).write_text(self._code(f"{name}-{file}"))

    def settings(self, path: str) -> dict[str, str]:
        """Return environment variables by which a careless program finds this tree; *path* is the real PATH."""
        inside = ":".join(str(self.root / folder) for folder in FOLDERS)
        return {**SETTINGS, "PATH": f".::bin:{inside}:{path}:"}

    def executed(self) -> list[str]:
        """Return the names of the files that were run."""
        return sorted(path.name for path in self._marks.iterdir())

    def _code(self, name: str) -> str:
        # posix is built in: this works before Python can open files.
        path = str(self._marks / name)
        return f"import posix\nposix.close(posix.open({path!r}, posix.O_CREAT | posix.O_WRONLY))\n"

    def _add_program(self, path: Path) -> None:
        path.write_text(f"#!/bin/sh\n: >'{self._marks}/program-{path.name}'\nexit 1\n")
        path.chmod(0o755)
