# SPDX-License-Identifier: Apache-2.0
"""Run the tests, and tell what they had to skip."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from ..base.errors import EXIT_ERROR, GeneratorError
from . import PROJECT, debian, venv

NOT_COLLECTED = 5  # pytest's status where it found no test
# What would lead the tests' Python astray, and the Pythons that they start.
ASTRAY = {"PYTHONHOME", "PYTHONINSPECT", "PYTHONPATH", "PYTHONPLATLIBDIR"}

Say = Callable[[str], None]


def run_tests(*, files: Sequence[str] = (), select: str = "", everything: bool = False, note: Say) -> int:
    """Run all tests, or those in *files* or that *select* chooses; return 0 if they pass, 1 if not, 2 if none could.

    Their Python packages are installed into the virtual environment, and nothing else is installed
    but for *everything*: then Debian's packages are that the tests use, as root or by passwordless sudo.
    Raises GeneratorError where there is no such file, or no test is chosen.
    """
    for file in files:
        if not (PROJECT / file.partition("::")[0]).exists():
            raise GeneratorError(
                f"--file: {file}: is not in {PROJECT}; give a path from there, such as tests/test_cli.py"
            )
    venv.ensure_test_packages(note)
    if everything:
        debian.ensure_tools(note)
    options = ["-n", "auto", "--dist", "loadfile", *(["-k", select] if select else [])]
    command = [sys.executable, "-m", "pytest", *options, *files]
    env = {name: value for name, value in os.environ.items() if name not in ASTRAY}
    status = subprocess.run(command, cwd=PROJECT, env=env, check=False).returncode
    if status == NOT_COLLECTED:
        raise GeneratorError(f"no test {f'is called what --select {select} asks for' if select else 'is in the files'}")
    return min(status, EXIT_ERROR)


def skipped(reasons: Iterable[str]) -> list[str]:
    """Return the lines of a table of *reasons*, one for each test that was skipped, and the command that helps."""
    counts = Counter(reasons)
    if not counts:
        return []
    lines = ["tests skipped  reason", *(f"{count:13}  {reason}" for reason, count in sorted(counts.items()))]
    tools = debian.to_install()
    if tools:
        size = debian.download_size(tools)
        fetched = f"{size / 1e6:.0f} MB to fetch" if size is not None else "its size is not known here"
        rights = "" if os.geteuid() == 0 else ", as root or by passwordless sudo"
        names = " ".join(tool.package for tool in tools)
        lines += [f"./invokew test --all installs what apt can bring{rights} ({fetched}): {names}"]
    return lines
